package neuralcore.vectors;

import org.jspecify.annotations.Nullable;

/** How many bytes of heap things take, roughly; so that many small rows count as what they are. */
final class Weights {
    /** What a slot has beside the vector: places in columns, and one in the map of ids. */
    static final int SLOT = 88;

    private static final int OBJECT = 32;

    private Weights() {}

    /** An id. */
    static long of(Object id) {
        return id instanceof String text ? OBJECT + 24 + (long) text.length() : 24;
    }

    static long of(byte @Nullable [] bytes) {
        return bytes == null ? 0 : 16 + (long) bytes.length;
    }
}
