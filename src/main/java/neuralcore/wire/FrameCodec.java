package neuralcore.wire;

import static neuralcore.wire.FrameLayout.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Frames to bytes and back. Every length is checked against what is there before anything is
 * allocated for it; attachments are views of the frame's buffer, not copies.
 *
 * <p>Stateless and thread-safe.
 */
public final class FrameCodec {
    private static final int MAX_CHANNELS = 65_535;

    private FrameCodec() {}

    /**
     * The frame in this payload (the bytes after the length word).
     *
     * @throws NeuralCoreException {@link ErrorCode#MALFORMED_FRAME} or {@link
     *     ErrorCode#UNKNOWN_FRAME_TYPE}
     */
    public static Frame decode(ByteBuffer payload) {
        ByteBuffer bytes = payload.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (!bytes.hasRemaining()) {
            throw malformed("The frame is empty.");
        }
        byte kind = bytes.get(KIND);
        if (kind == JSON_OPEN) {
            return new Frame.Text(Json.readObject(bytes));
        }
        need(bytes, 0, HEADER);
        return switch (kind) {
            case CALL, ANSWER, FAILURE -> decodeMessage(kind, bytes);
            case PUBLISH -> decodePublish(bytes);
            case PUBLISHED -> decodePublished(bytes);
            case DELIVER -> decodeDeliver(bytes);
            case CREDIT -> decodeCredit(bytes);
            default ->
                    throw new NeuralCoreException(
                            ErrorCode.UNKNOWN_FRAME_TYPE,
                            "A frame of kind 0x%02x is not known.".formatted(kind & 0xff));
        };
    }

    /**
     * The frame with its length word, in pieces to be written one after the other. Attachments and
     * message bodies are the caller's own buffers.
     */
    public static List<ByteBuffer> encode(Frame frame) {
        return switch (frame) {
            case Frame.Text text -> withLength(List.of(ByteBuffer.wrap(Json.write(text.json()))));
            case Frame.Call call ->
                    encodeMessage(
                            CALL,
                            call.correlation(),
                            call.address(),
                            call.timeoutMillis(),
                            call.params(),
                            call.tensors());
            case Frame.Answer answer ->
                    encodeMessage(
                            ANSWER, answer.correlation(), "", 0, answer.result(), answer.tensors());
            case Frame.Failure failure ->
                    encodeMessage(
                            FAILURE, failure.correlation(), "", 0, failure.error(), List.of());
            case Frame.Publish publish -> encodePublish(publish);
            case Frame.Published published -> encodePublished(published);
            case Frame.Deliver deliver -> encodeDeliver(deliver);
            case Frame.Credit credit -> encodeCredit(credit);
        };
    }

    /** {@link #encode} in one array, for tests and for the cluster's wire. */
    public static byte[] encodeToArray(Frame frame) {
        List<ByteBuffer> pieces = encode(frame);
        byte[] bytes = new byte[pieces.stream().mapToInt(ByteBuffer::remaining).sum()];
        ByteBuffer all = ByteBuffer.wrap(bytes);
        pieces.forEach(piece -> all.put(piece.duplicate()));
        return bytes;
    }

    // Calls and answers

    private static Frame decodeMessage(byte kind, ByteBuffer bytes) {
        need(bytes, 0, MESSAGE_HEAD);
        int correlation = bytes.getInt(CORRELATION);
        int addressLength = u16(bytes, ADDRESS_LENGTH);
        int attachments = u16(bytes, ATTACHMENTS);
        int jsonLength = u31(bytes, JSON_LENGTH);
        String address = text(bytes, MESSAGE_HEAD, addressLength);
        int jsonAt = MESSAGE_HEAD + addressLength;
        need(bytes, jsonAt, jsonLength);
        Map<String, @Nullable Object> json = Json.readObject(bytes.slice(jsonAt, jsonLength));
        List<Tensor> tensors = decodeTensors(bytes, padded(jsonAt + jsonLength), attachments);
        return switch (kind) {
            case CALL ->
                    new Frame.Call(correlation, address, u31(bytes, TIMEOUT_MILLIS), json, tensors);
            case ANSWER -> new Frame.Answer(correlation, json, tensors);
            case FAILURE -> new Frame.Failure(correlation, json);
            default -> throw new AssertionError(kind);
        };
    }

    private static List<Tensor> decodeTensors(ByteBuffer bytes, int table, int count) {
        if (count == 0) {
            return List.of();
        }
        need(bytes, table, (long) count * ATTACHMENT_ENTRY);
        List<Tensor> tensors = new ArrayList<>(count);
        int at = table + count * ATTACHMENT_ENTRY;
        for (int i = 0; i < count; i++) {
            int entry = table + i * ATTACHMENT_ENTRY;
            int length = u31(bytes, entry + ATTACHMENT_BYTES);
            need(bytes, at, length);
            tensors.add(
                    new Tensor(
                            ElementType.ofCode(bytes.get(entry + ATTACHMENT_TYPE)),
                            u31(bytes, entry + ATTACHMENT_ROWS),
                            u31(bytes, entry + ATTACHMENT_COLUMNS),
                            bytes.slice(at, length)));
            at = padded(at + length);
        }
        return tensors;
    }

    private static List<ByteBuffer> encodeMessage(
            byte kind,
            int correlation,
            String address,
            int timeoutMillis,
            Map<String, @Nullable Object> json,
            List<Tensor> tensors) {
        byte[] addressBytes = address.getBytes(StandardCharsets.UTF_8);
        byte[] jsonBytes = Json.write(json);
        int table = padded(MESSAGE_HEAD + addressBytes.length + jsonBytes.length);
        if (tensors.isEmpty()) {
            table = MESSAGE_HEAD + addressBytes.length + jsonBytes.length;
        }
        ByteBuffer head = header(kind, 0, correlation, table + tensors.size() * ATTACHMENT_ENTRY);
        head.putShort(ADDRESS_LENGTH, checkedU16(addressBytes.length, "address"));
        head.putShort(ATTACHMENTS, checkedU16(tensors.size(), "attachment list"));
        head.putInt(JSON_LENGTH, jsonBytes.length);
        head.putInt(TIMEOUT_MILLIS, timeoutMillis);
        head.put(MESSAGE_HEAD, addressBytes).put(MESSAGE_HEAD + addressBytes.length, jsonBytes);
        List<ByteBuffer> pieces = new ArrayList<>(1 + 2 * tensors.size());
        pieces.add(head);
        for (int i = 0; i < tensors.size(); i++) {
            Tensor tensor = tensors.get(i);
            int length = tensor.data().remaining();
            int entry = table + i * ATTACHMENT_ENTRY;
            head.put(entry + ATTACHMENT_TYPE, (byte) tensor.type().code());
            head.putInt(entry + ATTACHMENT_ROWS, tensor.rows());
            head.putInt(entry + ATTACHMENT_COLUMNS, tensor.columns());
            head.putInt(entry + ATTACHMENT_BYTES, length);
            pieces.add(tensor.data().duplicate());
            int padding = padded(length) - length;
            if (padding > 0 && i < tensors.size() - 1) {
                pieces.add(ByteBuffer.allocate(padding));
            }
        }
        return withLength(pieces);
    }

    // Messages

    private static Frame.Publish decodePublish(ByteBuffer bytes) {
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

    private static List<ByteBuffer> encodePublish(Frame.Publish publish) {
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

    private static Frame.Published decodePublished(ByteBuffer bytes) {
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

    private static List<ByteBuffer> encodePublished(Frame.Published published) {
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

    private static Frame.Deliver decodeDeliver(ByteBuffer bytes) {
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

    private static List<ByteBuffer> encodeDeliver(Frame.Deliver deliver) {
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

    private static Frame.Credit decodeCredit(ByteBuffer bytes) {
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

    private static List<ByteBuffer> encodeCredit(Frame.Credit credit) {
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

    /** The distinct channel names of one frame; entries refer to them by index. */
    private static final class ChannelNames {
        private final List<String> names = new ArrayList<>();
        private final Map<String, Integer> indexes = new LinkedHashMap<>();
        private final List<byte[]> encoded = new ArrayList<>();
        private String lastName = "";
        private int lastIndex = -1;

        void add(String name) {
            if (lastIndex >= 0 && name.equals(lastName)) {
                return;
            }
            Integer known = indexes.get(name);
            if (known == null) {
                known = encoded.size();
                if (known == MAX_CHANNELS) {
                    throw malformed("A frame names more than " + MAX_CHANNELS + " channels.");
                }
                indexes.put(name, known);
                encoded.add(name.getBytes(StandardCharsets.UTF_8));
            }
            lastName = name;
            lastIndex = known;
        }

        int index(String name) {
            add(name);
            return lastIndex;
        }

        int size() {
            return encoded.size();
        }

        int encodedLength() {
            return encoded.stream().mapToInt(bytes -> 2 + bytes.length).sum();
        }

        void encode(ByteBuffer into, int at) {
            for (byte[] bytes : encoded) {
                into.putShort(at, checkedU16(bytes.length, "channel name"));
                into.put(at + 2, bytes);
                at += 2 + bytes.length;
            }
        }

        /** Reads the names and returns where the entries begin. */
        int decode(ByteBuffer bytes, int at, int count) {
            for (int i = 0; i < count; i++) {
                need(bytes, at, 2);
                int length = u16(bytes, at);
                names.add(text(bytes, at + 2, length));
                at += 2 + length;
            }
            return padded(at);
        }

        String get(int index) {
            if (index >= names.size()) {
                throw malformed("A message names channel %d of %d.".formatted(index, names.size()));
            }
            return names.get(index);
        }
    }

    // Bytes

    private static ByteBuffer header(byte kind, int flags, int correlation, int length) {
        ByteBuffer head = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        head.put(KIND, kind).put(FLAGS, (byte) flags).putInt(CORRELATION, correlation);
        return head;
    }

    private static List<ByteBuffer> withLength(List<ByteBuffer> payload) {
        int length = 0;
        for (ByteBuffer piece : payload) {
            length = Math.addExact(length, piece.remaining());
        }
        List<ByteBuffer> frame = new ArrayList<>(1 + payload.size());
        frame.add(ByteBuffer.allocate(4).putInt(0, length));
        frame.addAll(payload);
        return frame;
    }

    private static byte[] body(ByteBuffer bytes, int at, int payload, int meta) {
        need(bytes, at, (long) payload + meta);
        byte[] body = new byte[payload + meta];
        bytes.get(at, body);
        return body;
    }

    private static String text(ByteBuffer bytes, int at, int length) {
        need(bytes, at, length);
        return StandardCharsets.UTF_8.decode(bytes.slice(at, length)).toString();
    }

    private static int u16(ByteBuffer bytes, int at) {
        return bytes.getShort(at) & 0xffff;
    }

    /** A u32 that must fit an int, as every length and count here does. */
    private static int u31(ByteBuffer bytes, int at) {
        int value = bytes.getInt(at);
        if (value < 0) {
            throw malformed(
                    "A number at offset %d is %d; at most 2³¹ − 1 is allowed."
                            .formatted(at, Integer.toUnsignedLong(value)));
        }
        return value;
    }

    private static short checkedU16(int value, String what) {
        if (value > 0xffff) {
            throw malformed("The " + what + " has a length of " + value + ", at most 65,535.");
        }
        return (short) value;
    }

    private static void need(ByteBuffer bytes, int at, long length) {
        if (at < 0 || at + length > bytes.limit()) {
            throw malformed(
                    "The frame ends at byte %d; bytes %d to %d are needed."
                            .formatted(bytes.limit(), at, at + length));
        }
    }

    private static void end(ByteBuffer bytes, int at) {
        if (at != bytes.limit()) {
            throw malformed((bytes.limit() - at) + " bytes follow the frame's content.");
        }
    }

    private static NeuralCoreException malformed(String message) {
        return new NeuralCoreException(ErrorCode.MALFORMED_FRAME, message);
    }
}
