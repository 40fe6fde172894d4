package neuralcore.vectors;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.DoubleAccumulator;
import java.util.function.IntToLongFunction;
import neuralcore.vectors.simd.CodeKernels;
import org.jspecify.annotations.Nullable;

/**
 * Compares one query with int8 codes, a quarter of the memory to read, and finds the rows that may
 * be among its k nearest: those whose upper bound ({@link CodeQuery}) reaches what k rows reach for
 * certain. If their float32 values are compared then, the answer is the same as if all had been.
 *
 * <p>Stateless, thread-safe.
 */
final class CodeScan {
    private static final int BLOCK_ROWS = 256;

    /** Rows that are worth the hand-over to another thread. */
    private static final int ROWS_PER_THREAD = 16_384;

    /** A thread that begins late, or is slower, leaves some of its share to the others. */
    private static final int TASKS_PER_THREAD = 8;

    /** With more candidates than one row in so many, comparing all at once is faster. */
    private static final int USEFUL_SHARE = 8;

    private final VectorRows.Snapshot rows;
    private final Scoring scoring;
    private final Parallel parallel;

    CodeScan(VectorRows rows, Scoring scoring, Parallel parallel) {
        this.rows = rows.snapshot();
        this.scoring = scoring;
        this.parallel = parallel;
    }

    /**
     * The rows that may be among the k nearest; null if they are too many to be of use.
     *
     * @param slots which to compare, or null for 0 … {@code count} − 1
     * @param order of a slot, see {@link TopKSink}
     */
    @Nullable Candidates candidates(
            CodeQuery query, int @Nullable [] slots, int count, IntToLongFunction order, int k) {
        CodeKernels kernels = scoring.forScan(1, count).kernels().codes();
        int most = Math.max(4 * k, count / USEFUL_SHARE);
        int threads = Math.clamp(count / ROWS_PER_THREAD, 1, parallel.threads());
        int tasks = threads == 1 ? 1 : threads * TASKS_PER_THREAD;
        ConcurrentLinkedQueue<Candidates> parts = new ConcurrentLinkedQueue<>();
        // What one part has found is known to the others, which then keep less.
        DoubleAccumulator floor = new DoubleAccumulator(Math::max, Double.NEGATIVE_INFINITY);
        parallel.run(
                tasks,
                task -> {
                    Candidates part = new Candidates(k, most);
                    parts.add(part);
                    int from = (int) ((long) count * task / tasks);
                    int to = (int) ((long) count * (task + 1) / tasks);
                    scan(kernels, query, slots, from, to, order, part, floor);
                });
        Candidates all = new Candidates(k, most);
        parts.forEach(all::addAll);
        all.dropBelow(all.floor());
        return all.tooMany() ? null : all;
    }

    private void scan(
            CodeKernels kernels,
            CodeQuery query,
            int @Nullable [] slots,
            int from,
            int to,
            IntToLongFunction order,
            Candidates found,
            DoubleAccumulator floor) {
        float[] products = new float[BLOCK_ROWS];
        int count;
        for (int first = from; first < to && !found.tooMany(); first += count) {
            parallel.check();
            found.raise((float) floor.get());
            if (slots == null) {
                count = Math.min(BLOCK_ROWS, Math.min(to, rows.chunkEnd(first)) - first);
                kernels.dotRows(
                        query.prepared(),
                        rows.codes(first),
                        rows.codeOffset(first),
                        count,
                        scoring.dimension(),
                        products);
            } else {
                count = Math.min(BLOCK_ROWS, to - first);
                gather(kernels, query.prepared(), slots, first, first + count - 1, products);
            }
            offer(query, slots, first, count, products, order, found);
            floor.accumulate(found.floor());
        }
    }

    private void gather(
            CodeKernels kernels,
            short[] query,
            int[] slots,
            int first,
            int last,
            float[] products) {
        for (int i = first; i <= last; i += 4) {
            int a = slots[i];
            int b = slots[Math.min(i + 1, last)];
            int c = slots[Math.min(i + 2, last)];
            int d = slots[Math.min(i + 3, last)];
            dot4(kernels, query, a, b, c, d, products, i - first);
        }
    }

    private void offer(
            CodeQuery query,
            int @Nullable [] slots,
            int first,
            int count,
            float[] products,
            IntToLongFunction order,
            Candidates found) {
        for (int i = 0; i < count; i++) {
            int slot = slots == null ? first + i : slots[first + i];
            float[] factors = rows.factors(slot);
            int at = rows.factorOffset(slot);
            float near = query.near(products[i], factors, at);
            float off = query.off(factors, at);
            // What is beyond floats, or no number, says nothing.
            boolean low = near + off < found.floor() && near >= -Float.MAX_VALUE;
            if (!low && order.applyAsLong(slot) != TopKSink.ABSENT) {
                found.offer(slot, near, near < -Float.MAX_VALUE ? Float.NaN : off);
            }
        }
    }

    private void dot4(
            CodeKernels kernels, short[] query, int a, int b, int c, int d, float[] out, int at) {
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
}
