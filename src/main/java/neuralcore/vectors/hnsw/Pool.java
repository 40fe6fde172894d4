package neuralcore.vectors.hnsw;

/**
 * The nearest candidates of a walk, sorted, each marked once its neighbours have been looked at. A
 * candidate is one {@code long}: the distance's bits in the upper half, so that numbers sort as
 * distances do, then a bit for the mark, then the row.
 *
 * <p>Lists of this length are faster sorted by insertion than as heaps: what is inserted mostly
 * goes near the end, and the next candidate to be looked at is found by moving a cursor.
 */
final class Pool {
    private static final long MARK = 1L << 31;
    private static final int ROW = Integer.MAX_VALUE;

    private long[] entries = new long[64];
    private int capacity;
    private int size;
    private int cursor;

    void clear(int newCapacity) {
        capacity = newCapacity;
        size = 0;
        cursor = 0;
        if (entries.length <= newCapacity) {
            entries = new long[Math.max(newCapacity + 1, 2 * entries.length)];
        }
    }

    int size() {
        return size;
    }

    int capacity() {
        return capacity;
    }

    int row(int rank) {
        return (int) entries[rank] & ROW;
    }

    float distance(int rank) {
        return fromSortable((int) (entries[rank] >> 32));
    }

    /** What a candidate's distance must stay below to be worth an offer. */
    float bound() {
        return size < capacity
                ? Float.POSITIVE_INFINITY
                : fromSortable((int) (entries[size - 1] >> 32));
    }

    /** The candidate that {@link #next} would answer now. */
    int peek() {
        while (cursor < size) {
            long entry = entries[cursor];
            if ((entry & MARK) == 0) {
                return (int) entry & ROW;
            }
            cursor++;
        }
        return -1;
    }

    /** The nearest candidate not yet marked, which it marks; −1 if all are. */
    int next() {
        while (cursor < size) {
            long entry = entries[cursor];
            if ((entry & MARK) == 0) {
                entries[cursor++] = entry | MARK;
                return (int) entry & ROW;
            }
            cursor++;
        }
        return -1;
    }

    /** Offers candidates that are not held yet. */
    void offer(int[] rows, float[] distances, int count) {
        float bound = bound();
        for (int i = 0; i < count; i++) {
            // Written so that NaN is refused as well.
            if (distances[i] < bound) {
                insert(distances[i], rows[i]);
                bound = bound();
            }
        }
    }

    void insert(float distance, int row) {
        long entry = (long) toSortable(distance) << 32 | row;
        int at = size < capacity ? size++ : size - 1;
        long[] list = entries;
        while (at > 0 && list[at - 1] > entry) {
            list[at] = list[at - 1];
            at--;
        }
        list[at] = entry;
        if (at < cursor) {
            cursor = at;
        }
    }

    /** Integers that sort as the floats do. */
    private static int toSortable(float value) {
        int bits = Float.floatToRawIntBits(value);
        return bits ^ (bits >> 31 & Integer.MAX_VALUE);
    }

    private static float fromSortable(int sortable) {
        return Float.intBitsToFloat(sortable ^ (sortable >> 31 & Integer.MAX_VALUE));
    }
}
