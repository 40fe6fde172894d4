package neuralcore.wire;

import static neuralcore.wire.FrameBytes.*;
import static neuralcore.wire.FrameLayout.*;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Batches of messages: publishes, what became of them, deliveries, and credit for them. */
final class MessageCodec {

    private MessageCodec() {}

    static Frame.Publish decodePublish(ByteBuffer bytes) {
        need(bytes, 0, PUBLISH_HEAD);
        int namespaceLength = u16(bytes, NAMESPACE_LENGTH);
        int count = u31(bytes, MESSAGES);
        long publisher = bytes.getLong(PUBLISHER);
        String namespace = text(bytes, PUBLISH_HEAD, namespaceLength);
        ChannelNames names = new ChannelNames();
        int table = names.decode(bytes, PUBLISH_HEAD + namespaceLength, u16(bytes, CHANNELS));
        need(bytes, table, (long) count * PUBLISH_ENTRY);
        List<Envelope> messages = new ArrayList<>(count);
        int at = table + count * PUBLISH_ENTRY;
        for (int i = 0; i < count; i++) {
            int entry = table + i * PUBLISH_ENTRY;
            int payload = u31(bytes, entry + PUBLISH_PAYLOAD);
            byte[] body = body(bytes, at, payload, u31(bytes, entry + PUBLISH_META));
            at += body.length;
            messages.add(
                    new Envelope(
                            names.get(u16(bytes, entry + PUBLISH_CHANNEL)),
                            publisher,
                            bytes.getLong(entry + PUBLISH_SEQUENCE),
                            bytes.getLong(entry + PUBLISH_TIMESTAMP),
                            bytes.getLong(entry + PUBLISH_PRIORITY),
                            u31(bytes, entry + PUBLISH_TTL),
                            bytes.get(entry + PUBLISH_PAYLOAD_TYPE),
                            bytes.get(entry + PUBLISH_META_TYPE),
                            body,
                            payload));
        }
        end(bytes, at);
        boolean confirm = (bytes.get(FLAGS) & FLAG_CONFIRM) != 0;
        return new Frame.Publish(bytes.getInt(CORRELATION), confirm, namespace, messages);
    }

    static List<ByteBuffer> encodePublish(Frame.Publish publish) {
        byte[] namespace = publish.namespace().getBytes(StandardCharsets.UTF_8);
        List<Envelope> messages = publish.messages();
        ChannelNames names = new ChannelNames();
        int bodies = 0;
        for (Envelope message : messages) {
            names.add(message.channel());
            bodies = Math.addExact(bodies, message.body().length);
        }
        int namesAt = PUBLISH_HEAD + namespace.length;
        int table = padded(namesAt + names.encodedLength());
        int bodiesAt = table + messages.size() * PUBLISH_ENTRY;
        ByteBuffer head =
                header(
                        PUBLISH,
                        publish.confirm() ? FLAG_CONFIRM : 0,
                        publish.batch(),
                        bodiesAt + bodies);
        head.putShort(NAMESPACE_LENGTH, checkedU16(namespace.length, "namespace"));
        head.putShort(CHANNELS, (short) names.size());
        head.putInt(MESSAGES, messages.size());
        head.putLong(PUBLISHER, messages.isEmpty() ? 0 : messages.getFirst().publisher());
        head.put(PUBLISH_HEAD, namespace);
        names.encode(head, namesAt);
        int at = bodiesAt;
        for (int i = 0; i < messages.size(); i++) {
            Envelope message = messages.get(i);
            int entry = table + i * PUBLISH_ENTRY;
            head.putLong(entry + PUBLISH_SEQUENCE, message.sequence());
            head.putLong(entry + PUBLISH_TIMESTAMP, message.timestampNanos());
            head.putLong(entry + PUBLISH_PRIORITY, message.priority());
            head.putInt(entry + PUBLISH_PAYLOAD, message.payloadLength());
            head.putInt(entry + PUBLISH_META, message.metaLength());
            head.putInt(entry + PUBLISH_TTL, message.ttlMillis());
            head.putShort(entry + PUBLISH_CHANNEL, (short) names.index(message.channel()));
            head.put(entry + PUBLISH_PAYLOAD_TYPE, message.payloadType());
            head.put(entry + PUBLISH_META_TYPE, message.metaType());
            head.put(at, message.body());
            at += message.body().length;
        }
        return withLength(List.of(head));
    }

    static Frame.Published decodePublished(ByteBuffer bytes) {
        need(bytes, 0, PUBLISHED_HEAD);
        int count = u31(bytes, REJECTED);
        need(bytes, PUBLISHED_HEAD, (long) count * REJECTION_ENTRY);
        List<Frame.Rejection> rejections = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int entry = PUBLISHED_HEAD + i * REJECTION_ENTRY;
            rejections.add(
                    new Frame.Rejection(
                            bytes.getLong(entry + REJECTION_SEQUENCE),
                            ErrorCode.ofNumber(u16(bytes, entry + REJECTION_CODE))));
        }
        end(bytes, PUBLISHED_HEAD + count * REJECTION_ENTRY);
        return new Frame.Published(bytes.getInt(CORRELATION), u31(bytes, ACCEPTED), rejections);
    }

    static List<ByteBuffer> encodePublished(Frame.Published published) {
        List<Frame.Rejection> rejections = published.rejections();
        ByteBuffer head =
                header(
                        PUBLISHED,
                        0,
                        published.batch(),
                        PUBLISHED_HEAD + rejections.size() * REJECTION_ENTRY);
        head.putInt(ACCEPTED, published.accepted());
        head.putInt(REJECTED, rejections.size());
        for (int i = 0; i < rejections.size(); i++) {
            int entry = PUBLISHED_HEAD + i * REJECTION_ENTRY;
            head.putLong(entry + REJECTION_SEQUENCE, rejections.get(i).sequence());
            head.putShort(entry + REJECTION_CODE, (short) rejections.get(i).code().number());
        }
        return withLength(List.of(head));
    }

    static Frame.Deliver decodeDeliver(ByteBuffer bytes) {
        need(bytes, 0, DELIVER_HEAD);
        int count = u31(bytes, DELIVERIES);
        ChannelNames names = new ChannelNames();
        int table = names.decode(bytes, DELIVER_HEAD, u16(bytes, DELIVER_CHANNELS));
        need(bytes, table, (long) count * DELIVERY_ENTRY);
        List<Delivery> deliveries = new ArrayList<>(count);
        int at = table + count * DELIVERY_ENTRY;
        for (int i = 0; i < count; i++) {
            int entry = table + i * DELIVERY_ENTRY;
            int payload = u31(bytes, entry + DELIVERY_PAYLOAD);
            byte[] body = body(bytes, at, payload, u31(bytes, entry + DELIVERY_META));
            at += body.length;
            Envelope envelope =
                    new Envelope(
                            names.get(u16(bytes, entry + DELIVERY_CHANNEL)),
                            bytes.getLong(entry + DELIVERY_PUBLISHER),
                            bytes.getLong(entry + DELIVERY_SEQUENCE),
                            bytes.getLong(entry + DELIVERY_TIMESTAMP),
                            bytes.getLong(entry + DELIVERY_PRIORITY),
                            u31(bytes, entry + DELIVERY_TTL),
                            bytes.get(entry + DELIVERY_PAYLOAD_TYPE),
                            bytes.get(entry + DELIVERY_META_TYPE),
                            body,
                            payload);
            deliveries.add(
                    new Delivery(
                            bytes.getInt(entry + DELIVERY_SUBSCRIPTION),
                            bytes.getLong(entry + DELIVERY_CHANNEL_SEQUENCE),
                            bytes.getInt(entry + DELIVERY_ATTEMPT),
                            envelope));
        }
        end(bytes, at);
        return new Frame.Deliver(deliveries);
    }

    static List<ByteBuffer> encodeDeliver(Frame.Deliver deliver) {
        List<Delivery> deliveries = deliver.deliveries();
        ChannelNames names = new ChannelNames();
        int bodies = 0;
        for (Delivery delivery : deliveries) {
            names.add(delivery.envelope().channel());
            bodies = Math.addExact(bodies, delivery.envelope().body().length);
        }
        int table = padded(DELIVER_HEAD + names.encodedLength());
        int at = table + deliveries.size() * DELIVERY_ENTRY;
        ByteBuffer head = header(DELIVER, 0, 0, at + bodies);
        head.putShort(DELIVER_CHANNELS, (short) names.size());
        head.putInt(DELIVERIES, deliveries.size());
        names.encode(head, DELIVER_HEAD);
        for (int i = 0; i < deliveries.size(); i++) {
            Delivery delivery = deliveries.get(i);
            Envelope message = delivery.envelope();
            int entry = table + i * DELIVERY_ENTRY;
            head.putInt(entry + DELIVERY_SUBSCRIPTION, delivery.subscription());
            head.putInt(entry + DELIVERY_ATTEMPT, delivery.attempt());
            head.putLong(entry + DELIVERY_PUBLISHER, message.publisher());
            head.putLong(entry + DELIVERY_SEQUENCE, message.sequence());
            head.putLong(entry + DELIVERY_CHANNEL_SEQUENCE, delivery.channelSequence());
            head.putLong(entry + DELIVERY_TIMESTAMP, message.timestampNanos());
            head.putLong(entry + DELIVERY_PRIORITY, message.priority());
            head.putInt(entry + DELIVERY_PAYLOAD, message.payloadLength());
            head.putInt(entry + DELIVERY_META, message.metaLength());
            head.putInt(entry + DELIVERY_TTL, message.ttlMillis());
            head.putShort(entry + DELIVERY_CHANNEL, (short) names.index(message.channel()));
            head.put(entry + DELIVERY_PAYLOAD_TYPE, message.payloadType());
            head.put(entry + DELIVERY_META_TYPE, message.metaType());
            head.put(at, message.body());
            at += message.body().length;
        }
        return withLength(List.of(head));
    }

    static Frame.Credit decodeCredit(ByteBuffer bytes) {
        need(bytes, 0, CREDIT_HEAD);
        int count = u31(bytes, GRANTS);
        need(bytes, CREDIT_HEAD, (long) count * GRANT_ENTRY);
        List<Frame.Grant> grants = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int entry = CREDIT_HEAD + i * GRANT_ENTRY;
            grants.add(
                    new Frame.Grant(
                            bytes.getInt(entry + GRANT_SUBSCRIPTION),
                            u31(bytes, entry + GRANT_MESSAGES)));
        }
        end(bytes, CREDIT_HEAD + count * GRANT_ENTRY);
        return new Frame.Credit(grants);
    }

    static List<ByteBuffer> encodeCredit(Frame.Credit credit) {
        List<Frame.Grant> grants = credit.grants();
        ByteBuffer head = header(CREDIT, 0, 0, CREDIT_HEAD + grants.size() * GRANT_ENTRY);
        head.putInt(GRANTS, grants.size());
        for (int i = 0; i < grants.size(); i++) {
            int entry = CREDIT_HEAD + i * GRANT_ENTRY;
            head.putInt(entry + GRANT_SUBSCRIPTION, grants.get(i).subscription());
            head.putInt(entry + GRANT_MESSAGES, grants.get(i).messages());
        }
        return withLength(List.of(head));
    }
}
