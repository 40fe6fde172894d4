package neuralcore.wire;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.value.ValueType;

/**
 * MessagePack to the values of JSON, under the limits of {@link Json}. Binary values become Base64
 * text, extension types {@code {"ext": type, "data": …}}.
 */
final class MessagePackReader {
    private final MessageUnpacker unpacker;
    private final int length;
    private int valuesLeft = Json.MAX_TOKENS;

    private MessagePackReader(MessageUnpacker unpacker, int length) {
        this.unpacker = unpacker;
        this.length = length;
    }

    /**
     * The value in these bytes.
     *
     * @throws NeuralCoreException {@code INVALID_REQUEST} if they are no MessagePack within the
     *     limits
     */
    static @Nullable Object read(byte[] bytes, int offset, int length) {
        try (MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(bytes, offset, length)) {
            return new MessagePackReader(unpacker, length).value(0);
        } catch (IOException | RuntimeException e) {
            throw NeuralCoreException.invalid("The payload is not MessagePack: " + e.getMessage());
        }
    }

    private @Nullable Object value(int depth) throws IOException {
        if (depth > Json.MAX_DEPTH || --valuesLeft < 0) {
            throw NeuralCoreException.invalid(
                    "It nests deeper than %d or has more than %d values."
                            .formatted(Json.MAX_DEPTH, Json.MAX_TOKENS));
        }
        ValueType type = unpacker.getNextFormat().getValueType();
        return switch (type) {
            case NIL -> {
                unpacker.unpackNil();
                yield null;
            }
            case BOOLEAN -> unpacker.unpackBoolean();
            case INTEGER -> integer();
            case FLOAT -> unpacker.unpackDouble();
            case STRING -> unpacker.unpackString();
            case BINARY -> base64(unpacker.unpackBinaryHeader());
            case ARRAY -> array(depth);
            case MAP -> map(depth);
            case EXTENSION -> {
                var header = unpacker.unpackExtensionTypeHeader();
                yield Map.of("ext", (long) header.getType(), "data", base64(header.getLength()));
            }
        };
    }

    private List<@Nullable Object> array(int depth) throws IOException {
        int size = unpacker.unpackArrayHeader();
        List<@Nullable Object> list = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            list.add(value(depth + 1));
        }
        return list;
    }

    private Map<String, @Nullable Object> map(int depth) throws IOException {
        int size = unpacker.unpackMapHeader();
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        for (int i = 0; i < size; i++) {
            String name = String.valueOf(value(depth + 1));
            map.put(name, value(depth + 1));
        }
        return map;
    }

    private Object integer() throws IOException {
        var value = unpacker.unpackBigInteger();
        return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value.doubleValue();
    }

    private String base64(int size) throws IOException {
        // The unpacker would allocate whatever is claimed.
        if (size > length - unpacker.getTotalReadBytes()) {
            throw NeuralCoreException.invalid(
                    "It ends within a value of %d bytes.".formatted(size));
        }
        return Base64.getEncoder().encodeToString(unpacker.readPayload(size));
    }
}
