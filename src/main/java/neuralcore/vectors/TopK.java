package neuralcore.vectors;

/**
 * The k nearest of the rows offered: a binary heap in three arrays with the farthest on top. Of
 * equally near rows the one with the lower order number wins, so that the result does not depend on
 * the order they are offered in.
 *
 * <p>Not thread-safe. An offer that is refused costs one comparison, one that is taken O(log k).
 */
final class TopK {
    private final float[] nearness;
    private final long[] orders;
    private final int[] rows;
    private int size;

    TopK(int k) {
        nearness = new float[k];
        orders = new long[k];
        rows = new int[k];
    }

    int size() {
        return size;
    }

    /** What a row must reach to be worth an offer. */
    float threshold() {
        return size < rows.length ? Float.NEGATIVE_INFINITY : nearness[0];
    }

    void offer(float near, long order, int row) {
        if (size < rows.length) {
            up(size++, near, order, row);
        } else if (isFarther(nearness[0], orders[0], near, order)) {
            down(0, near, order, row);
        }
    }

    void offerAll(TopK other) {
        for (int i = 0; i < other.size; i++) {
            offer(other.nearness[i], other.orders[i], other.rows[i]);
        }
    }

    /**
     * Sorts what is held, nearest first; then only {@link #row} and {@link #nearness} may follow.
     */
    void sort() {
        int held = size;
        while (size > 1) {
            size--;
            float near = nearness[size];
            long order = orders[size];
            int row = rows[size];
            put(size, nearness[0], orders[0], rows[0]);
            down(0, near, order, row);
        }
        size = held;
    }

    int row(int rank) {
        return rows[rank];
    }

    float nearness(int rank) {
        return nearness[rank];
    }

    private static boolean isFarther(float near, long order, float otherNear, long otherOrder) {
        return near < otherNear || (near == otherNear && order > otherOrder);
    }

    private void up(int start, float near, long order, int row) {
        int at = start;
        while (at > 0) {
            int parent = (at - 1) >>> 1;
            if (!isFarther(near, order, nearness[parent], orders[parent])) {
                break;
            }
            put(at, nearness[parent], orders[parent], rows[parent]);
            at = parent;
        }
        put(at, near, order, row);
    }

    private void down(int start, float near, long order, int row) {
        int at = start;
        while (2 * at + 1 < size) {
            int child = 2 * at + 1;
            if (child + 1 < size
                    && isFarther(
                            nearness[child + 1],
                            orders[child + 1],
                            nearness[child],
                            orders[child])) {
                child++;
            }
            if (!isFarther(nearness[child], orders[child], near, order)) {
                break;
            }
            put(at, nearness[child], orders[child], rows[child]);
            at = child;
        }
        put(at, near, order, row);
    }

    private void put(int at, float near, long order, int row) {
        nearness[at] = near;
        orders[at] = order;
        rows[at] = row;
    }
}
