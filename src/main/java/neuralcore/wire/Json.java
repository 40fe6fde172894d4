package neuralcore.wire;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * JSON to maps, lists, strings, longs, doubles and booleans, and back; integers beyond a long are
 * {@link BigInteger}s.
 *
 * <p>What a stranger may send is limited: depth {@value #MAX_DEPTH}, strings of {@value
 * #MAX_STRING} characters, numbers of {@value #MAX_NUMBER} digits, names of {@value #MAX_NAME}
 * characters, {@value #MAX_TOKENS} tokens (a name, a value or a bracket each); duplicate names and
 * anything after the value are refused.
 */
public final class Json {
    public static final int MAX_DEPTH = 64;
    public static final int MAX_STRING = 16 << 20;
    public static final int MAX_NUMBER = 100;
    public static final int MAX_NAME = 1_024;
    public static final int MAX_TOKENS = 100_000;

    private static final JsonFactory FACTORY =
            JsonFactory.builder()
                    .streamReadConstraints(
                            StreamReadConstraints.builder()
                                    .maxNestingDepth(MAX_DEPTH)
                                    .maxStringLength(MAX_STRING)
                                    .maxNumberLength(MAX_NUMBER)
                                    .maxNameLength(MAX_NAME)
                                    .maxTokenCount(MAX_TOKENS)
                                    .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build();

    private Json() {}

    /**
     * The object in these bytes.
     *
     * @throws NeuralCoreException {@link ErrorCode#MALFORMED_FRAME} if they are not one JSON object
     *     within the limits, {@link ErrorCode#FRAME_TOO_LARGE} if it is longer than they allow
     */
    @SuppressWarnings("unchecked")
    public static Map<String, @Nullable Object> readObject(ByteBuffer bytes) {
        Object value = read(bytes);
        if (!(value instanceof Map)) {
            throw malformed("expected an object", null);
        }
        return (Map<String, @Nullable Object>) value;
    }

    /** Any JSON value in these bytes; see {@link #readObject}. */
    public static @Nullable Object read(ByteBuffer bytes) {
        try (JsonParser parser = parser(bytes)) {
            return read(parser);
        } catch (IOException e) {
            throw malformed(firstLine(e), e);
        }
    }

    private static @Nullable Object read(JsonParser parser) throws IOException {
        try {
            if (parser.nextToken() == null) {
                throw malformed("no value", null);
            }
            Object value = value(parser);
            if (parser.nextToken() != null) {
                throw malformed("something follows the value", null);
            }
            return value;
        } catch (StreamConstraintsException e) {
            // Of all that is limited, this alone an honest caller meets by sending much.
            if (parser.currentTokenCount() > MAX_TOKENS) {
                throw new NeuralCoreException(
                        ErrorCode.FRAME_TOO_LARGE,
                        "JSON may have %d names, values and brackets; send it in parts."
                                .formatted(MAX_TOKENS),
                        e);
            }
            throw e;
        }
    }

    public static byte[] write(@Nullable Object value) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        try (JsonGenerator generator = FACTORY.createGenerator(bytes)) {
            write(generator, value);
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return bytes.toByteArray();
    }

    public static String writeText(@Nullable Object value) {
        return new String(write(value), StandardCharsets.UTF_8);
    }

    private static JsonParser parser(ByteBuffer bytes) throws IOException {
        if (bytes.hasArray()) {
            return FACTORY.createParser(
                    bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        }
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return FACTORY.createParser(copy);
    }

    private static @Nullable Object value(JsonParser parser) throws IOException {
        return switch (parser.currentToken()) {
            case START_OBJECT -> object(parser);
            case START_ARRAY -> array(parser);
            case VALUE_STRING -> parser.getText();
            case VALUE_NUMBER_INT ->
                    parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER
                            ? (Object) parser.getBigIntegerValue()
                            : (Object) parser.getLongValue();
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL -> null;
            case END_OBJECT, END_ARRAY, FIELD_NAME, NOT_AVAILABLE, VALUE_EMBEDDED_OBJECT ->
                    throw malformed("unexpected " + parser.currentToken(), null);
        };
    }

    private static Map<String, @Nullable Object> object(JsonParser parser) throws IOException {
        Map<String, @Nullable Object> object = new LinkedHashMap<>();
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            parser.nextToken();
            object.put(name, value(parser));
        }
        return object;
    }

    private static List<@Nullable Object> array(JsonParser parser) throws IOException {
        List<@Nullable Object> array = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            array.add(value(parser));
        }
        return array;
    }

    private static void write(JsonGenerator generator, @Nullable Object value) throws IOException {
        // A switch over types is code that the JVM writes at each start, before the door is open.
        if (value == null) {
            generator.writeNull();
        } else if (value instanceof String text) {
            generator.writeString(text);
        } else if (value instanceof Map<?, ?> map) {
            generator.writeStartObject();
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                generator.writeFieldName(String.valueOf(entry.getKey()));
                write(generator, entry.getValue());
            }
            generator.writeEndObject();
        } else if (value instanceof Iterable<?> items) {
            generator.writeStartArray();
            for (Object item : items) {
                write(generator, item);
            }
            generator.writeEndArray();
        } else if (value instanceof Number number) {
            writeNumber(generator, number);
        } else if (value instanceof Boolean bool) {
            generator.writeBoolean(bool);
        } else if (value instanceof Enum<?> constant) {
            generator.writeString(constant.name());
        } else {
            throw noForm(value);
        }
    }

    private static void writeNumber(JsonGenerator generator, Number number) throws IOException {
        if (number instanceof Integer || number instanceof Long) {
            generator.writeNumber(number.longValue());
        } else if (number instanceof Double) {
            generator.writeNumber(number.doubleValue());
        } else if (number instanceof Float) {
            generator.writeNumber(number.floatValue());
        } else if (number instanceof BigInteger large) {
            generator.writeNumber(large);
        } else {
            throw noForm(number);
        }
    }

    private static IllegalArgumentException noForm(Object value) {
        return new IllegalArgumentException("JSON has no form for " + value.getClass().getName());
    }

    private static String firstLine(IOException e) {
        String message =
                e instanceof com.fasterxml.jackson.core.JsonProcessingException json
                        ? json.getOriginalMessage()
                        : String.valueOf(e.getMessage());
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }

    private static NeuralCoreException malformed(String reason, @Nullable IOException cause) {
        NeuralCoreException exception =
                new NeuralCoreException(
                        ErrorCode.MALFORMED_FRAME, "Not the JSON expected: " + reason);
        if (cause != null) {
            exception.initCause(cause);
        }
        return exception;
    }
}
