package neuralcore.vectors;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** How many bytes of heap things take, roughly; so that many small rows count as what they are. */
final class Weights {
    /** What a slot has beside the vector: places in arrays, an entry, one in the map of ids. */
    static final int SLOT = 112;

    private static final int OBJECT = 32;
    private static final int ENTRY = 56;

    private Weights() {}

    static long of(@Nullable Object value) {
        return switch (value) {
            case null -> 0;
            case String text -> OBJECT + 24 + 2L * text.length();
            case Map<?, ?> map -> {
                long sum = OBJECT + 32;
                for (Map.Entry<?, ?> entry : map.entrySet()) {
                    sum += ENTRY + of(entry.getKey()) + of(entry.getValue());
                }
                yield sum;
            }
            case Iterable<?> items -> {
                long sum = OBJECT;
                for (Object item : items) {
                    sum += 8 + of(item);
                }
                yield sum;
            }
            default -> OBJECT;
        };
    }
}
