package neuralcore.relay;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * An object of a relay's configuration, read key by key; {@link #done} refuses keys that nobody
 * asked for, for a misspelt one would be silently without effect.
 */
final class Given {
    private static final double MOST_SECONDS = 86_400;

    private final String what;
    private final Params params;
    private final Set<String> known = new HashSet<>();

    Given(String what, Map<String, @Nullable Object> values) {
        this.what = what;
        this.params = new Params(values);
    }

    /** Keys of JSON and of our YAML are strings. */
    @SuppressWarnings("unchecked")
    static Map<String, @Nullable Object> typed(Map<?, ?> map) {
        return (Map<String, @Nullable Object>) map;
    }

    String text(String key) {
        return params(key).string(key);
    }

    String text(String key, String otherwise) {
        return params(key).string(key, otherwise);
    }

    String textOrNumber(String key, String otherwise) {
        Object value = params(key).raw(key);
        return value instanceof Long number ? number.toString() : text(key, otherwise);
    }

    @Nullable String optionalText(String key) {
        return params(key).optionalString(key);
    }

    @Nullable Long optionalInteger(String key) {
        return params(key).optionalInteger(key);
    }

    @Nullable Boolean optionalBool(String key) {
        return params(key).has(key) ? params.bool(key, false) : null;
    }

    boolean bool(String key, boolean otherwise) {
        return params(key).bool(key, otherwise);
    }

    int integer(String key, int otherwise, int min, int max) {
        return params(key).integer(key, otherwise, min, max);
    }

    /** Seconds there, milliseconds here. */
    long millis(String key, long otherwise, long min) {
        double seconds = params(key).number(key, otherwise / 1e3);
        if (!(seconds * 1e3 >= min && seconds <= MOST_SECONDS)) {
            throw NeuralCoreException.invalid(
                    "%s has '%s' = %s s; it must be between %s and %s s."
                            .formatted(what, key, seconds, min / 1e3, MOST_SECONDS));
        }
        return Math.round(seconds * 1e3);
    }

    <E extends Enum<E>> E choice(String key, Class<E> type, E otherwise) {
        String word = params(key).string(key, otherwise.name());
        for (E constant : type.getEnumConstants()) {
            if (constant.name().equalsIgnoreCase(word)) {
                return constant;
            }
        }
        throw NeuralCoreException.invalid(
                "%s has '%s' = '%s'; it must be one of %s."
                        .formatted(
                                what,
                                key,
                                word,
                                List.of(type.getEnumConstants())
                                        .toString()
                                        .toLowerCase(Locale.ROOT)));
    }

    List<?> list(String key) {
        List<?> list = params(key).optionalList(key);
        return list == null ? List.of() : list;
    }

    List<Path> paths(String key) {
        List<Path> paths = new ArrayList<>();
        for (Object item : list(key)) {
            if (!(item instanceof String text) || text.isEmpty()) {
                throw NeuralCoreException.invalid(
                        "%s has '%s' with %s in it; it must be a list of files."
                                .formatted(what, key, item));
            }
            paths.add(Path.of(text));
        }
        return paths;
    }

    Map<String, @Nullable Object> object(String key) {
        Map<String, @Nullable Object> object = params(key).optionalObject(key);
        return object == null ? Map.of() : object;
    }

    void done() {
        for (String key : params.values().keySet()) {
            if (!known.contains(key)) {
                throw NeuralCoreException.invalid(
                        "%s has '%s', which it does not know; it knows %s."
                                .formatted(what, key, known.stream().sorted().toList()));
            }
        }
    }

    private Params params(String key) {
        known.add(key);
        return params;
    }
}
