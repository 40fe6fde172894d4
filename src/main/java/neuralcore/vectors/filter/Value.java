package neuralcore.vectors.filter;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * A JSON value as filters compare it. Values of different kinds are never equal, {@code true} is
 * not 1; numbers are equal if they are the same number, however written. Strings are ordered by
 * UTF-16 units, as {@link String#compareTo} does.
 *
 * @param kind decides first
 * @param raw a Boolean, Long, BigInteger, Double or String; the JSON text of a list; null for null
 */
record Value(Kind kind, @Nullable Object raw) implements Comparable<Value> {
    enum Kind {
        NULL,
        BOOLEAN,
        NUMBER,
        STRING,
        LIST
    }

    private static final double LONG_LIMIT = 0x1p63;

    /**
     * The value of something that came as JSON.
     *
     * @throws IllegalArgumentException for an object, which is not one value but several
     */
    static Value of(@Nullable Object json) {
        return switch (json) {
            case null -> new Value(Kind.NULL, null);
            case Boolean bool -> new Value(Kind.BOOLEAN, bool);
            case String text -> new Value(Kind.STRING, text);
            case Number number -> new Value(Kind.NUMBER, normal(number));
            case List<?> list -> new Value(Kind.LIST, Json.writeText(canonical(list)));
            case Map<?, ?> object -> throw new IllegalArgumentException("an object: " + object);
            default -> throw new IllegalArgumentException(json.getClass().getName());
        };
    }

    /** The same text for equal lists: numbers as {@link #normal} has them, names in order. */
    private static @Nullable Object canonical(@Nullable Object json) {
        return switch (json) {
            case Number number -> normal(number);
            case List<?> list -> list.stream().map(Value::canonical).toList();
            case Map<?, ?> object -> {
                Map<String, @Nullable Object> inOrder = new TreeMap<>();
                object.forEach((name, value) -> inOrder.put((String) name, canonical(value)));
                yield inOrder;
            }
            case null, default -> json;
        };
    }

    /** A Long wherever the number is one, a BigInteger for any other whole number. */
    private static Object normal(Number number) {
        if (number instanceof Long || number instanceof Integer) {
            return number.longValue();
        }
        if (number instanceof BigInteger) {
            return number;
        }
        double value = number.doubleValue();
        if (value != Math.rint(value) || Double.isInfinite(value)) {
            return value;
        }
        return Math.abs(value) < LONG_LIMIT
                ? (Object) (long) value
                : (Object) new BigDecimal(value).toBigIntegerExact();
    }

    @Override
    public int compareTo(Value other) {
        if (kind != other.kind) {
            return kind.compareTo(other.kind);
        }
        return switch (kind) {
            case NULL -> 0;
            case BOOLEAN -> Boolean.compare((Boolean) value(), (Boolean) other.value());
            case NUMBER -> compareNumbers(value(), other.value());
            case STRING, LIST -> ((String) value()).compareTo((String) other.value());
        };
    }

    private static int compareNumbers(Object a, Object b) {
        if (a instanceof Long x && b instanceof Long y) {
            return Long.compare(x, y);
        }
        double x = ((Number) a).doubleValue();
        double y = ((Number) b).doubleValue();
        if (x != y || (a instanceof Double && b instanceof Double)) {
            return Double.compare(x, y);
        }
        return exact(a).compareTo(exact(b));
    }

    private static BigDecimal exact(Object number) {
        return switch (number) {
            case Long whole -> BigDecimal.valueOf(whole);
            case BigInteger whole -> new BigDecimal(whole);
            default -> new BigDecimal((Double) number);
        };
    }

    private Object value() {
        if (raw == null) {
            throw new IllegalStateException("null has no order");
        }
        return raw;
    }
}
