package neuralcore.wire;

import static neuralcore.wire.FrameBytes.*;
import static neuralcore.wire.FrameLayout.*;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The two frames that carry messages: publish from a client, deliver to one. */
final class MessageCodec {
    private static final int MAX_ATTEMPT = 0xffff;

    private MessageCodec() {}

    private static Frame.Confirm confirmation(int flags) {
        if ((flags & FLAG_RELAYED) != 0) {
            return Frame.Confirm.RELAYED;
        }
        if ((flags & FLAG_DURABLE) != 0) {
            return Frame.Confirm.DURABLE;
        }
        return (flags & FLAG_CONFIRM) != 0 ? Frame.Confirm.ACCEPTED : Frame.Confirm.NONE;
    }

    private static int flags(Frame.Confirm confirm) {
        return switch (confirm) {
            case NONE -> 0;
            case ACCEPTED -> FLAG_CONFIRM;
            case DURABLE -> FLAG_DURABLE;
            case RELAYED -> FLAG_RELAYED;
        };
    }

    static Frame.Publish decodePublish(ByteBuffer bytes) {
        need(bytes, 0, PUBLISH_HEAD);
        int namespaceLength = u16(bytes, NAMESPACE_LENGTH);
        int count = u31(bytes, MESSAGES);
        long publisher = bytes.getLong(PUBLISHER);
        String namespace = text(bytes, PUBLISH_HEAD, namespaceLength);
        ChannelNames names = new ChannelNames();
        int table = names.decode(bytes, PUBLISH_HEAD + namespaceLength, u16(bytes, CHANNELS));
        int flags = bytes.get(FLAGS);
        boolean delays = (flags & FLAG_DELAYS) != 0;
        int entryLength = delays ? PUBLISH_DELAY_ENTRY : PUBLISH_ENTRY;
        need(bytes, table, (long) count * entryLength);
        List<Envelope> messages = new ArrayList<>(count);
        int at = table + count * entryLength;
        for (int i = 0; i < count; i++) {
            int entry = table + i * entryLength;
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
                            delays ? bytes.getLong(entry + PUBLISH_DELAY) : 0,
                            bytes.get(entry + PUBLISH_PAYLOAD_TYPE),
                            bytes.get(entry + PUBLISH_META_TYPE),
                            body,
                            payload));
        }
        end(bytes, at);
        return new Frame.Publish(
                bytes.getInt(CORRELATION), confirmation(flags), namespace, messages);
    }

    static List<ByteBuffer> encodePublish(Frame.Publish publish) {
        byte[] namespace = publish.namespace().getBytes(StandardCharsets.UTF_8);
        List<Envelope> messages = publish.messages();
        ChannelNames names = new ChannelNames();
        int bodies = 0;
        boolean delays = false;
        for (Envelope message : messages) {
            names.add(message.channel());
            delays |= message.delayMillis() > 0;
            bodies = Math.addExact(bodies, message.body().length);
        }
        int namesAt = PUBLISH_HEAD + namespace.length;
        int table = padded(namesAt + names.encodedLength());
        int entryLength = delays ? PUBLISH_DELAY_ENTRY : PUBLISH_ENTRY;
        int bodiesAt = table + messages.size() * entryLength;
        ByteBuffer head =
                header(
                        PUBLISH,
                        flags(publish.confirm()) | (delays ? FLAG_DELAYS : 0),
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
            int entry = table + i * entryLength;
            head.putLong(entry + PUBLISH_SEQUENCE, message.sequence());
            head.putLong(entry + PUBLISH_TIMESTAMP, message.timestampNanos());
            head.putLong(entry + PUBLISH_PRIORITY, message.priority());
            head.putInt(entry + PUBLISH_PAYLOAD, message.payloadLength());
            head.putInt(entry + PUBLISH_META, message.metaLength());
            head.putInt(entry + PUBLISH_TTL, message.ttlMillis());
            if (delays) {
                head.putLong(entry + PUBLISH_DELAY, message.delayMillis());
            }
            head.putShort(entry + PUBLISH_CHANNEL, (short) names.index(message.channel()));
            head.put(entry + PUBLISH_PAYLOAD_TYPE, message.payloadType());
            head.put(entry + PUBLISH_META_TYPE, message.metaType());
            head.put(at, message.body());
            at += message.body().length;
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
                            bytes.getLong(entry + DELIVERY_PUBLISHER_SEQUENCE),
                            bytes.getLong(entry + DELIVERY_TIMESTAMP),
                            bytes.getLong(entry + DELIVERY_PRIORITY),
                            u31(bytes, entry + DELIVERY_TTL),
                            0,
                            bytes.get(entry + DELIVERY_PAYLOAD_TYPE),
                            bytes.get(entry + DELIVERY_META_TYPE),
                            body,
                            payload);
            deliveries.add(
                    new Delivery(
                            bytes.getInt(entry + DELIVERY_SUBSCRIPTION),
                            bytes.getLong(entry + DELIVERY_SEQUENCE),
                            bytes.getLong(entry + DELIVERY_CHANNEL_SEQUENCE),
                            u16(bytes, entry + DELIVERY_ATTEMPT),
                            (u16(bytes, entry + DELIVERY_FLAGS) & FLAG_REPLAYED) != 0,
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
            head.putShort(
                    entry + DELIVERY_ATTEMPT, (short) Math.min(delivery.attempt(), MAX_ATTEMPT));
            head.putShort(
                    entry + DELIVERY_FLAGS, (short) (delivery.replayed() ? FLAG_REPLAYED : 0));
            head.putLong(entry + DELIVERY_SEQUENCE, delivery.sequence());
            head.putLong(entry + DELIVERY_PUBLISHER, message.publisher());
            head.putLong(entry + DELIVERY_PUBLISHER_SEQUENCE, message.sequence());
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
}
