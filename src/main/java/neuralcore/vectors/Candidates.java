package neuralcore.vectors;

import java.util.Arrays;

/**
 * Rows that may be among the k nearest, as far as bounds of their nearness tell. What k rows reach
 * at least is the floor; a row that reaches it at most in vain is none.
 *
 * <p>Not thread-safe.
 */
final class Candidates {
    private static final int FIRST_ROOM = 1_024;

    private final TopK lowest;
    private final int most;
    private int[] rows;
    private float[] highest;
    private int size;
    private float floor = Float.NEGATIVE_INFINITY;
    private boolean tooMany;

    /**
     * @param k nearest that are looked for
     * @param most candidates that are worth keeping
     */
    Candidates(int k, int most) {
        this.lowest = new TopK(k);
        this.most = most;
        this.rows = new int[Math.min(FIRST_ROOM, most)];
        this.highest = new float[rows.length];
    }

    /** What a row must reach to be worth an offer. */
    float floor() {
        return floor;
    }

    /** Whether there are so many that what is held is of no use. */
    boolean tooMany() {
        return tooMany;
    }

    int size() {
        return size;
    }

    int row(int i) {
        return rows[i];
    }

    float highest(int i) {
        return highest[i];
    }

    /**
     * @param near about how near a row is
     * @param off how far at most that is from the truth; neither need be finite
     */
    void offer(int row, float near, float off) {
        float lower = near - off;
        if (Float.isFinite(lower)) {
            lowest.offer(lower, 0, row);
            raise(lowest.threshold());
        }
        add(row, near + off);
    }

    /** Takes what others know of the floor. */
    void raise(float known) {
        floor = Math.max(floor, known);
    }

    /** Takes the candidates of another part of the rows. */
    void addAll(Candidates other) {
        lowest.offerAll(other.lowest);
        raise(Math.max(other.floor, lowest.threshold()));
        tooMany |= other.tooMany;
        for (int i = 0; i < other.size && !tooMany; i++) {
            add(other.rows[i], other.highest[i]);
        }
    }

    private void add(int row, float upper) {
        if (size == rows.length) {
            dropBelow(floor);
            if (size > most / 2) {
                tooMany = true;
                return;
            }
            if (size > rows.length / 2) {
                int room = Math.min(most, 2 * rows.length);
                rows = Arrays.copyOf(rows, room);
                highest = Arrays.copyOf(highest, room);
            }
        }
        rows[size] = row;
        highest[size++] = upper;
    }

    /** Leaves out those that do not reach it. */
    void dropBelow(float wanted) {
        int kept = 0;
        for (int i = 0; i < size; i++) {
            // What is not a number may be anything.
            if (!(highest[i] < wanted)) {
                rows[kept] = rows[i];
                highest[kept++] = highest[i];
            }
        }
        size = kept;
    }

    /** The rows that reach the highest, as many as wanted at most, in growing order. */
    int[] best(int wanted) {
        int[] best;
        if (size <= wanted) {
            best = Arrays.copyOf(rows, size);
        } else {
            TopK top = new TopK(wanted);
            for (int i = 0; i < size; i++) {
                top.offer(
                        Float.isNaN(highest[i]) ? Float.POSITIVE_INFINITY : highest[i], 0, rows[i]);
            }
            best = new int[top.size()];
            for (int i = 0; i < best.length; i++) {
                best[i] = top.row(i);
            }
        }
        Arrays.sort(best);
        return best;
    }
}
