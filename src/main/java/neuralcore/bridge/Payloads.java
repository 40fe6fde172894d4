package neuralcore.bridge;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.Envelope;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.value.ValueType;

/**
 * A message's payload as JSON, for clients that know nothing else. Bytes become Base64 text, as do
 * MessagePack's binary values; its extension types become {@code {"ext": type, "data": …}}.
 */
final class Payloads {
    private static final int MAX_DEPTH = 64;

    private Payloads() {}

    static @Nullable Object payload(Envelope envelope) {
        return decode(envelope.payloadType(), envelope.body(), 0, envelope.payloadLength());
    }

    static @Nullable Object meta(Envelope envelope) {
        return decode(
                envelope.metaType(),
                envelope.body(),
                envelope.payloadLength(),
                envelope.metaLength());
    }

    private static @Nullable Object decode(byte type, byte[] bytes, int offset, int length) {
        return switch (type) {
            case Envelope.NONE -> null;
            case Envelope.JSON -> Json.read(ByteBuffer.wrap(bytes, offset, length));
            case Envelope.MSGPACK -> unpack(bytes, offset, length);
            default ->
                    Base64.getEncoder()
                            .encodeToString(
                                    java.util.Arrays.copyOfRange(bytes, offset, offset + length));
        };
    }

    private static @Nullable Object unpack(byte[] bytes, int offset, int length) {
        try (MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(bytes, offset, length)) {
            return unpack(unpacker, 0);
        } catch (IOException | RuntimeException e) {
            throw NeuralCoreException.invalid("The payload is not MessagePack: " + e.getMessage());
        }
    }

    private static @Nullable Object unpack(MessageUnpacker unpacker, int depth) throws IOException {
        if (depth > MAX_DEPTH) {
            throw NeuralCoreException.invalid("It nests deeper than " + MAX_DEPTH + ".");
        }
        ValueType type = unpacker.getNextFormat().getValueType();
        return switch (type) {
            case NIL -> {
                unpacker.unpackNil();
                yield null;
            }
            case BOOLEAN -> unpacker.unpackBoolean();
            case INTEGER -> integer(unpacker);
            case FLOAT -> unpacker.unpackDouble();
            case STRING -> unpacker.unpackString();
            case BINARY ->
                    Base64.getEncoder()
                            .encodeToString(unpacker.readPayload(unpacker.unpackBinaryHeader()));
            case ARRAY -> {
                int size = unpacker.unpackArrayHeader();
                List<@Nullable Object> list = new ArrayList<>();
                for (int i = 0; i < size; i++) {
                    list.add(unpack(unpacker, depth + 1));
                }
                yield list;
            }
            case MAP -> {
                int size = unpacker.unpackMapHeader();
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                for (int i = 0; i < size; i++) {
                    Object key = unpack(unpacker, depth + 1);
                    map.put(String.valueOf(key), unpack(unpacker, depth + 1));
                }
                yield map;
            }
            case EXTENSION -> {
                var header = unpacker.unpackExtensionTypeHeader();
                byte[] data = unpacker.readPayload(header.getLength());
                yield Map.of(
                        "ext",
                        (long) header.getType(),
                        "data",
                        Base64.getEncoder().encodeToString(data));
            }
        };
    }

    private static Object integer(MessageUnpacker unpacker) throws IOException {
        var value = unpacker.unpackBigInteger();
        return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value.doubleValue();
    }
}
