package neuralcore.bus;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import neuralcore.wire.Envelope;
import neuralcore.wire.Json;
import neuralcore.wire.MessagePackWriter;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/**
 * Writes dead letters: what a message was and why it was given up, in the shape that ATLAS's own
 * bus gives them,
 *
 * <pre>{origin_channel, subscriber, error_type, error, traceback, message}</pre>
 *
 * with priority 0 and meta {@code {trace_id, dlq, origin_msg_id}}. It is MessagePack, into which a
 * payload that is MessagePack goes as it is, so that nothing is lost on the way and back.
 */
final class Letters {
    /** The publisher of what the bus itself publishes; no client has this number. */
    static final long BUS = 0;

    private static final List<String> TRACE = List.of("trace_id");

    private Letters() {}

    static boolean isLetter(Envelope message) {
        return message.publisher() == BUS;
    }

    /**
     * @param reason a JSON object with {@code error_type}, {@code error} and {@code traceback}; any
     *     other text is the error itself
     */
    static Envelope write(
            String channel,
            long sequence,
            long timestampNanos,
            Envelope message,
            String subscriber,
            String reason) {
        try (MessageBufferPacker body = MessagePack.newDefaultBufferPacker()) {
            Map<?, ?> why = reason(reason);
            body.packMapHeader(6);
            text(body, "origin_channel", message.channel());
            text(body, "subscriber", subscriber);
            text(body, "error_type", text(why, "error_type", "Rejected"));
            text(body, "error", text(why, "error", ""));
            text(body, "traceback", text(why, "traceback", ""));
            body.packString("message");
            message(body, message);
            int payloadLength = (int) body.getTotalWrittenBytes();
            meta(body, message);
            return new Envelope(
                    channel,
                    BUS,
                    sequence,
                    timestampNanos,
                    0,
                    0,
                    0,
                    Envelope.MSGPACK,
                    Envelope.MSGPACK,
                    body.toByteArray(),
                    payloadLength);
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
    }

    /**
     * The message that a letter is about, to be published anew; null if the letter cannot be read.
     */
    static @Nullable Envelope origin(Envelope letter, long publisher, long sequence) {
        byte[] data = letter.body();
        String channel = "";
        long priority = 0;
        byte[] payload = new byte[0];
        byte[] meta = new byte[0];
        try (MessageUnpacker in = MessagePack.newDefaultUnpacker(data, 0, letter.payloadLength())) {
            for (int left = in.unpackMapHeader(); left > 0; left--) {
                if (!in.unpackString().equals("message")) {
                    in.skipValue();
                    continue;
                }
                for (int inner = in.unpackMapHeader(); inner > 0; inner--) {
                    String key = in.unpackString();
                    int from = (int) in.getTotalReadBytes();
                    switch (key) {
                        case "channel" -> channel = in.unpackString();
                        case "priority" -> priority = in.unpackLong();
                        default -> in.skipValue();
                    }
                    byte[] value = Arrays.copyOfRange(data, from, (int) in.getTotalReadBytes());
                    payload = key.equals("payload") ? value : payload;
                    meta = key.equals("meta") ? value : meta;
                }
            }
        } catch (IOException | RuntimeException notALetter) {
            return null;
        }
        byte[] body = Arrays.copyOf(payload, payload.length + meta.length);
        System.arraycopy(meta, 0, body, payload.length, meta.length);
        return new Envelope(
                channel,
                publisher,
                sequence,
                letter.timestampNanos(),
                priority,
                0,
                0,
                Envelope.MSGPACK,
                Envelope.MSGPACK,
                body,
                payload.length);
    }

    private static void message(MessageBufferPacker body, Envelope message) throws IOException {
        body.packMapHeader(6);
        text(body, "id", message.id());
        text(body, "channel", message.channel());
        body.packString("ts").packDouble(message.timestampNanos() / 1e9);
        body.packString("priority").packLong(message.priority());
        body.packString("payload");
        value(body, message.payloadType(), message.body(), 0, message.payloadLength());
        body.packString("meta");
        value(
                body,
                message.metaType(),
                message.body(),
                message.payloadLength(),
                message.metaLength());
    }

    private static void meta(MessageBufferPacker body, Envelope message) throws IOException {
        body.packMapHeader(3);
        body.packString("trace_id");
        MessagePackWriter.write(body, new Subject().of(message).meta(TRACE));
        body.packString("dlq").packBoolean(true);
        text(body, "origin_msg_id", message.id());
    }

    private static void value(
            MessageBufferPacker body, byte type, byte[] bytes, int offset, int length)
            throws IOException {
        if (type == Envelope.NONE) {
            body.packNil();
        } else if (type == Envelope.MSGPACK && isOneValue(bytes, offset, length)) {
            body.writePayload(bytes, offset, length);
        } else if (type == Envelope.JSON) {
            json(body, bytes, offset, length);
        } else {
            body.packBinaryHeader(length).writePayload(bytes, offset, length);
        }
    }

    private static void json(MessageBufferPacker body, byte[] bytes, int offset, int length)
            throws IOException {
        Object value;
        try {
            value = Json.read(ByteBuffer.wrap(bytes, offset, length));
        } catch (NeuralCoreException notJson) {
            value = new String(bytes, offset, length, StandardCharsets.UTF_8);
        }
        MessagePackWriter.write(body, value);
    }

    private static boolean isOneValue(byte[] bytes, int offset, int length) {
        try (MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(bytes, offset, length)) {
            unpacker.skipValue();
            return unpacker.getTotalReadBytes() == length;
        } catch (IOException | RuntimeException notMessagePack) {
            return false;
        }
    }

    private static void text(MessageBufferPacker body, String key, String value)
            throws IOException {
        body.packString(key).packString(value);
    }

    private static Map<?, ?> reason(String reason) {
        if (!reason.isEmpty()) {
            try {
                return Json.readObject(ByteBuffer.wrap(reason.getBytes(StandardCharsets.UTF_8)));
            } catch (NeuralCoreException notAnObject) {
                return Map.of("error", reason);
            }
        }
        return Map.of();
    }

    private static String text(Map<?, ?> why, String key, String otherwise) {
        return why.get(key) instanceof String text ? text : otherwise;
    }
}
