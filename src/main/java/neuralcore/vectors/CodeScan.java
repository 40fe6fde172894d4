package neuralcore.vectors;

import java.util.Arrays;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.IntToLongFunction;
import neuralcore.vectors.simd.CodeKernels;
import org.jspecify.annotations.Nullable;

/**
 * Compares one query with int8 codes: a quarter of the memory to read. What it finds is nearest
 * within the codes' precision, and meant to be compared again.
 *
 * <p>Stateless, thread-safe.
 */
final class CodeScan {
    private static final int BLOCK_ROWS = 256;

    /** Rows that are worth the hand-over to another thread. */
    private static final int ROWS_PER_THREAD = 16_384;

    private static final int RESCORED_FACTOR = 4;
    private static final int RESCORED_LEAST = 32;

    private final VectorRows.Snapshot rows;
    private final Scoring scoring;
    private final CodeKernels kernels;
    private final Parallel parallel;

    CodeScan(VectorRows rows, Scoring scoring, Parallel parallel) {
        this.rows = rows.snapshot();
        this.scoring = scoring;
        this.kernels = scoring.kernels().codes();
        this.parallel = parallel;
    }

    /** How many rows are compared again to find k. */
    static int rescored(int k) {
        return Math.max(RESCORED_LEAST, (int) Math.min(1L << 30, (long) RESCORED_FACTOR * k));
    }

    /**
     * The best rows, in growing order.
     *
     * @param slots which to compare, or null for 0 … {@code count} − 1
     * @param order of a slot, see {@link TopKSink}
     * @param most how many to answer
     */
    int[] best(
            float[] query, int @Nullable [] slots, int count, IntToLongFunction order, int most) {
        int dimension = scoring.dimension();
        short[] prepared = new short[dimension];
        float step = kernels.prepare(query, 0, prepared, dimension);
        int tasks = Math.clamp(count / ROWS_PER_THREAD, 1, parallel.threads());
        ConcurrentLinkedQueue<TopK> parts = new ConcurrentLinkedQueue<>();
        parallel.run(
                tasks,
                task -> {
                    TopK top = new TopK(most);
                    int from = (int) ((long) count * task / tasks);
                    int to = (int) ((long) count * (task + 1) / tasks);
                    scan(prepared, step, slots, from, to, order, top);
                    parts.add(top);
                });
        TopK all = new TopK(most);
        parts.forEach(all::offerAll);
        int[] best = new int[all.size()];
        for (int i = 0; i < best.length; i++) {
            best[i] = all.row(i);
        }
        Arrays.sort(best);
        return best;
    }

    private void scan(
            short[] query,
            float step,
            int @Nullable [] slots,
            int from,
            int to,
            IntToLongFunction order,
            TopK top) {
        float[] products = new float[BLOCK_ROWS];
        for (int first = from; first < to; first += BLOCK_ROWS) {
            parallel.check();
            int count = Math.min(BLOCK_ROWS, to - first);
            for (int i = 0; i < count; i += 4) {
                int last = first + count - 1;
                dot4(
                        query,
                        slot(slots, first + i),
                        slot(slots, Math.min(first + i + 1, last)),
                        slot(slots, Math.min(first + i + 2, last)),
                        slot(slots, Math.min(first + i + 3, last)),
                        products,
                        i);
            }
            for (int i = 0; i < count; i++) {
                int slot = slot(slots, first + i);
                float near = nearness(slot, products[i] * step);
                if (near >= top.threshold()) {
                    long rank = order.applyAsLong(slot);
                    if (rank != TopKSink.ABSENT) {
                        top.offer(near, rank, slot);
                    }
                }
            }
        }
    }

    private static int slot(int @Nullable [] slots, int place) {
        return slots == null ? place : slots[place];
    }

    private void dot4(short[] query, int a, int b, int c, int d, float[] out, int at) {
        kernels.dot4(
                query,
                rows.codes(a),
                rows.codeOffset(a),
                rows.codes(b),
                rows.codeOffset(b),
                rows.codes(c),
                rows.codeOffset(c),
                rows.codes(d),
                rows.codeOffset(d),
                scoring.dimension(),
                out,
                at);
    }

    /** A value that grows with nearness to the query; its scale does not matter. */
    private float nearness(int slot, float product) {
        float[] factors = rows.factors(slot);
        int at = rows.factorOffset(slot);
        float scaled = product * factors[at];
        return switch (scoring.metric()) {
            case COSINE, DOT_PRODUCT -> scaled;
            case EUCLIDEAN, SQUARED_EUCLIDEAN -> 2 * scaled - factors[at + 1];
        };
    }
}
