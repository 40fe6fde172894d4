package neuralcore.wire;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The JSON object of a request, read by name and type. A missing or mistyped value is an {@link
 * ErrorCode#INVALID_REQUEST} that names it.
 */
public record Params(Map<String, @Nullable Object> values) {

    public static final Params EMPTY = new Params(Map.of());

    public boolean has(String name) {
        return values.get(name) != null;
    }

    public @Nullable Object raw(String name) {
        return values.get(name);
    }

    public String string(String name) {
        return require(name, optionalString(name));
    }

    public String string(String name, String otherwise) {
        String value = optionalString(name);
        return value == null ? otherwise : value;
    }

    public @Nullable String optionalString(String name) {
        return typed(name, String.class, "a string");
    }

    public boolean bool(String name, boolean otherwise) {
        Boolean value = typed(name, Boolean.class, "true or false");
        return value == null ? otherwise : value;
    }

    public long integer(String name) {
        return require(name, optionalInteger(name));
    }

    public long integer(String name, long otherwise) {
        Long value = optionalInteger(name);
        return value == null ? otherwise : value;
    }

    public @Nullable Long optionalInteger(String name) {
        Number value = typed(name, Number.class, "an integer");
        if (value == null) {
            return null;
        }
        if (value instanceof Long || value instanceof Integer) {
            return value.longValue();
        }
        throw wrongType(name, value, "an integer");
    }

    /** An integer within {@code [min, max]}, else an error that tells the range. */
    public int integer(String name, int otherwise, int min, int max) {
        long value = integer(name, otherwise);
        if (value < min || value > max) {
            throw NeuralCoreException.invalid(
                    "'%s' is %d; it must be between %d and %d.".formatted(name, value, min, max));
        }
        return (int) value;
    }

    public double number(String name, double otherwise) {
        Number value = typed(name, Number.class, "a number");
        return value == null ? otherwise : value.doubleValue();
    }

    public @Nullable List<?> optionalList(String name) {
        return typed(name, List.class, "a list");
    }

    public List<String> strings(String name) {
        List<?> list = require(name, optionalList(name));
        for (Object item : list) {
            if (!(item instanceof String)) {
                throw wrongType(name, list, "a list of strings");
            }
        }
        @SuppressWarnings("unchecked")
        List<String> strings = (List<String>) list;
        return strings;
    }

    @SuppressWarnings("unchecked")
    public @Nullable Map<String, @Nullable Object> optionalObject(String name) {
        return typed(name, Map.class, "an object");
    }

    private <T> @Nullable T typed(String name, Class<T> type, String expected) {
        Object value = values.get(name);
        if (value != null && !type.isInstance(value)) {
            throw wrongType(name, value, expected);
        }
        return type.cast(value);
    }

    private static <T> T require(String name, @Nullable T value) {
        if (value == null) {
            throw NeuralCoreException.invalid("'" + name + "' is missing.");
        }
        return value;
    }

    private static NeuralCoreException wrongType(String name, Object value, String expected) {
        String shown = String.valueOf(value);
        if (shown.length() > 80) {
            shown = shown.substring(0, 80) + "…";
        }
        return NeuralCoreException.invalid(
                "'%s' is %s; it must be %s.".formatted(name, shown, expected));
    }
}
