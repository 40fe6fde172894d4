package neuralcore.vectors;

import java.util.function.IntFunction;
import neuralcore.vectors.simd.Kernels;
import neuralcore.vectors.simd.PackedRows;
import org.jspecify.annotations.Nullable;

/**
 * Compares needles with rows, all with all.
 *
 * <p>The needles are cut into groups and the rows into blocks, so that a group, a block and their
 * results stay in cache together, and the matrix of all results need never exist. With enough
 * needles a block is one matrix product; a few, or those that would leave most of the product's
 * last panel empty, are each compared with row after row. Groups and ranges of rows are spread over
 * threads if there is enough to do.
 *
 * <p>Immutable, thread-safe.
 */
final class Scan {
    /** Takes the results, a block after the other. */
    interface Sink {
        /**
         * The nearness of needle {@code firstNeedle + j} to row {@code firstRow + r} is {@code
         * values[j * needleStride + r * rowStride]}.
         */
        void take(
                int firstNeedle,
                int needles,
                int firstRow,
                int rows,
                float[] values,
                int needleStride,
                int rowStride);
    }

    private static final int GROUP_NEEDLES = 256;

    /** As many tiles of the matrix product as fill it, with no row left over. */
    private static final int BLOCK_ROWS = 252;

    /** Rows that stay in the first levels of cache while each needle is compared with them. */
    private static final int STRIP_ROWS = 28;

    /** From so many needles on, the matrix product is faster than needle by needle. */
    static final int PRODUCT_NEEDLES = 16;

    /** Multiplications that are worth the hand-over to another thread. */
    private static final long WORK_PER_THREAD = 1 << 20;

    /** A thread that begins late, or is slower, leaves some of its share to the others. */
    private static final int TASKS_PER_THREAD = 4;

    private final Scoring scoring;
    private final Kernels kernels;
    private final int dimension;
    private final float[] originals;
    private final float[] needles;
    private final int count;
    private final int groups;
    private final @Nullable PackedRows[] packed;

    /**
     * @param originals the needles, rows of {@code dimension}
     */
    Scan(Scoring scoring, float[] originals) {
        this.scoring = scoring;
        this.kernels = scoring.kernels();
        this.dimension = scoring.dimension();
        this.originals = originals;
        this.needles = scoring.metric() == Metric.COSINE ? scoring.unitRows(originals) : originals;
        this.count = originals.length / dimension;
        this.groups = Math.ceilDiv(count, GROUP_NEEDLES);
        this.packed = new PackedRows[groups];
        if (scoring.metric().isProduct() && count >= PRODUCT_NEEDLES) {
            for (int group = 0; group < groups; group++) {
                int first = first(group);
                int size = first(group + 1) - first;
                packed[group] = pack(first * dimension, size);
            }
        }
    }

    private PackedRows pack(int offset, int size) {
        PackedRows all = kernels.pack(needles, offset, size, dimension);
        int rest = size % all.width();
        return rest > all.width() / 2 ? all : kernels.pack(needles, offset, size - rest, dimension);
    }

    /** The first needle of a group; groups are of like size. */
    private int first(int group) {
        return (int) ((long) count * group / groups);
    }

    /**
     * Compares with the rows 0 … {@code rowCount} − 1.
     *
     * @param sinks makes a sink for each task; a sink is used by one thread at a time, and has all
     *     results when this method returns
     */
    void run(ScanRows rows, int rowCount, Parallel parallel, IntFunction<Sink> sinks) {
        if (rowCount == 0 || count == 0) {
            return;
        }
        long work = (long) count * rowCount * dimension;
        long threads = Math.min(parallel.threads(), Math.max(1, work / WORK_PER_THREAD));
        int blocks = Math.ceilDiv(rowCount, BLOCK_ROWS);
        long tasks = threads == 1 ? 1 : threads * TASKS_PER_THREAD;
        int ranges = (int) Math.min(blocks, Math.ceilDiv(tasks, (long) groups));
        parallel.run(
                groups * ranges,
                task -> {
                    int group = task % groups;
                    long range = task / groups;
                    int from = (int) (blocks * range / ranges) * BLOCK_ROWS;
                    int to = Math.min(rowCount, (int) (blocks * (range + 1) / ranges) * BLOCK_ROWS);
                    Sink sink = sinks.apply(task);
                    new Task(group, rows, to - from, sink).scan(from, to, parallel);
                });
    }

    /** One group of needles and a range of rows, on one thread. */
    private final class Task {
        private final int firstNeedle;
        private final int size;
        private final @Nullable PackedRows group;

        /** Needles of the group that the product covers; they come first. */
        private final int inProduct;

        private final ScanRows rows;
        private final float[] buffer;
        private final Sink sink;
        private final float[] products;
        private final float[] values;
        private final float[] sums = new float[STRIP_ROWS];
        private final float[] factors = new float[BLOCK_ROWS];

        Task(int groupNumber, ScanRows rows, int rowCount, Sink sink) {
            this.firstNeedle = first(groupNumber);
            this.size = first(groupNumber + 1) - firstNeedle;
            this.group = packed[groupNumber];
            this.inProduct = group == null ? 0 : group.count();
            this.rows = rows;
            this.buffer = new float[rows.copies() ? Math.min(BLOCK_ROWS, rowCount) * dimension : 0];
            this.sink = sink;
            this.products = new float[group == null ? 0 : BLOCK_ROWS * group.stride()];
            this.values = new float[BLOCK_ROWS * (size - inProduct)];
        }

        void scan(int from, int to, Parallel parallel) {
            int next;
            for (int row = from; row < to; row = next) {
                parallel.check();
                next = Math.min(Math.min(row + BLOCK_ROWS, to), rows.end(row));
                block(row, next - row);
            }
        }

        private void block(int firstRow, int blockRows) {
            float[] chunk = rows.array(firstRow, blockRows, buffer);
            int offset = rows.offset(firstRow);
            prepareFactors(chunk, offset, firstRow, blockRows);
            if (group != null) {
                byProduct(group, chunk, offset, blockRows);
                sink.take(firstNeedle, inProduct, firstRow, blockRows, products, 1, group.stride());
            }
            int left = size - inProduct;
            if (left > 0) {
                byNeedle(chunk, offset, blockRows);
                sink.take(
                        firstNeedle + inProduct, left, firstRow, blockRows, values, BLOCK_ROWS, 1);
            }
        }

        private void byProduct(PackedRows needles, float[] chunk, int offset, int blockRows) {
            kernels.product(chunk, offset, blockRows, needles, products);
            for (int r = 0; r < blockRows; r++) {
                int first = r * needles.stride();
                if (!nearnessAtOnce(first, factors[r])) {
                    for (int j = 0; j < inProduct; j++) {
                        products[first + j] = nearness(products[first + j], j, r, chunk, offset);
                    }
                }
            }
        }

        private void byNeedle(float[] chunk, int offset, int blockRows) {
            for (int first = 0; first < blockRows; first += STRIP_ROWS) {
                int strip = Math.min(STRIP_ROWS, blockRows - first);
                int at = offset + first * dimension;
                for (int j = inProduct; j < size; j++) {
                    sums(j, chunk, at, strip);
                    int to = (j - inProduct) * BLOCK_ROWS + first;
                    for (int r = 0; r < strip; r++) {
                        values[to + r] = nearness(sums[r], j, first + r, chunk, offset);
                    }
                }
            }
        }

        /** Makes nearness of a row's products, unless one needs a closer look. */
        private boolean nearnessAtOnce(int first, float factor) {
            return switch (scoring.metric()) {
                case COSINE -> {
                    if (Float.isNaN(factor)) {
                        yield false;
                    }
                    kernels.scaleToCosines(products, first, inProduct, factor);
                    yield true;
                }
                case DOT_PRODUCT -> kernels.allFinite(products, first, inProduct);
                case EUCLIDEAN, SQUARED_EUCLIDEAN -> false;
            };
        }

        private void prepareFactors(float[] chunk, int offset, int firstRow, int blockRows) {
            for (int r = 0; r < blockRows; r++) {
                factors[r] =
                        scoring.metric() == Metric.COSINE
                                ? rows.inverseNorm(
                                        firstRow + r, scoring, chunk, offset + r * dimension)
                                : 1f;
            }
        }

        private void sums(int j, float[] chunk, int offset, int blockRows) {
            int needle = (firstNeedle + j) * dimension;
            if (scoring.metric().isProduct()) {
                kernels.dotRows(needles, needle, chunk, offset, blockRows, dimension, sums);
            } else {
                kernels.squaredEuclideanRows(
                        needles, needle, chunk, offset, blockRows, dimension, sums);
            }
        }

        private float nearness(float sum, int j, int r, float[] chunk, int offset) {
            return scoring.nearness(
                    sum,
                    factors[r],
                    originals,
                    (firstNeedle + j) * dimension,
                    chunk,
                    offset + r * dimension);
        }
    }
}
