package neuralcore.relay.schema;

import java.util.Collection;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One version of a subject, which never changes.
 *
 * <p>Thread-safe. What a stranger sends must not take for ever: a list whose items are to be unique
 * is compared pair by pair, and so may have {@value #MOST_UNIQUE} of them.
 */
final class SchemaVersion {
    static final int MOST_UNIQUE = 1_000;

    private final String subject;
    private final int number;
    private final Map<String, @Nullable Object> schema;
    private final SchemaLanguage.Check check;
    private final boolean comparesItems;

    SchemaVersion(
            String subject,
            int number,
            Map<String, @Nullable Object> schema,
            SchemaLanguage.Check check) {
        this.subject = subject;
        this.number = number;
        this.schema = schema;
        this.check = check;
        this.comparesItems = SchemaText.uses(schema, "uniqueItems");
    }

    int number() {
        return number;
    }

    Map<String, @Nullable Object> schema() {
        return schema;
    }

    /** What a message says that was written with it. */
    String tag() {
        return tag(subject, number);
    }

    static String tag(String subject, int number) {
        return subject + "/" + number;
    }

    /** Why a payload is not as it says; null if it is. */
    @Nullable String problem(@Nullable Object payload) {
        if (comparesItems && hasLongList(payload)) {
            return "it is not %s: a list has more than %d items, too many to be compared"
                    .formatted(tag(), MOST_UNIQUE);
        }
        try {
            String problem = check.problem(payload);
            return problem == null ? null : "it is not %s: %s".formatted(tag(), problem);
        } catch (RuntimeException | StackOverflowError e) {
            return "it cannot be compared with %s: %s".formatted(tag(), e);
        }
    }

    private static boolean hasLongList(@Nullable Object value) {
        return switch (value) {
            case Collection<?> list ->
                    list.size() > MOST_UNIQUE || list.stream().anyMatch(SchemaVersion::hasLongList);
            case Map<?, ?> map -> map.values().stream().anyMatch(SchemaVersion::hasLongList);
            case null, default -> false;
        };
    }
}
