package neuralcore.vectors;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteOrder;
import java.util.Arrays;
import neuralcore.vectors.simd.Kernels;
import org.jspecify.annotations.Nullable;

/**
 * Vectors by row number: the float32 values as they were given and, if asked for, int8 codes for
 * fast approximate comparison ({@link neuralcore.vectors.simd.CodeKernels}).
 *
 * <p><b>Storage.</b> Everything lies in chunks of {@link Snapshot#chunkRows} rows, so growing
 * copies nothing but the first chunk while it is still small. Rows of the beginning may instead be
 * read from a mapped file ({@link #VectorRows(MemorySegment, int, int, Metric, Kernels, boolean)}):
 * then only codes and factors take heap. Bytes a row: 4 · dimension for float32 in the heap,
 * dimension for codes, 16 for four factors.
 *
 * <p><b>Concurrency.</b> One thread puts and reserves at a time, except that after {@link #reserve}
 * several may put different rows. Readers never wait: a {@link Snapshot} shows all rows whose
 * numbers reached the reader through something that orders memory (a volatile field, a lock, a
 * graph's links). A row that readers may look at must not be put again: a new vector gets a new
 * row, and the old row's number is free when no reader can hold it any more.
 */
public final class VectorRows {
    /**
     * Rows in a whole chunk are the power of two whose float32 values take at most 1 MiB. Java's
     * heap consists of regions of some MiB; chunks of half a region and more would leave the rest
     * of one empty, a quarter of the memory for 384 dimensions.
     */
    private static final int CHUNK_ELEMENTS = 1 << 18;

    private static final int SMALLEST_CHUNK_ROWS = 64;
    private static final int FACTORS = 4;

    /**
     * What sums in float may differ from true ones, as a share of |a|·|b|: the kernels promise 1e-6
     * and the norms another; the rest is for the few operations on what comes out of them.
     */
    private static final double FLOAT_SHARE = 4e-6;

    private static final int CACHE_LINE = 64;

    /**
     * Bytes left free at the beginning of an array of codes. The JVM lays arrays as large as a
     * chunk at the beginning of a page, their header first; so codes begin at a cache line, and a
     * row of 384 lies in six lines and not in seven. It makes searches of large graphs about 10 %
     * faster.
     */
    private static final int CODE_LEAD = CACHE_LINE - headerBytes();

    private static final ValueLayout.OfFloat FLOATS =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static int headerBytes() {
        HotSpotDiagnosticMXBean hotspot =
                ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        boolean compact =
                hotspot != null
                        && Boolean.parseBoolean(
                                hotspot.getVMOption("UseCompactObjectHeaders").getValue());
        return compact ? 12 : 16;
    }

    private final Scoring scoring;
    private final int dimension;
    private final boolean coded;
    private final int shift;

    private volatile Snapshot snapshot;

    /** None yet, all in the heap. */
    public VectorRows(int dimension, Metric metric, Kernels kernels, boolean coded) {
        this(MemorySegment.NULL, 0, dimension, metric, kernels, coded);
    }

    /**
     * With the first rows in memory that somebody else keeps alive and unchanged, as a mapped file.
     * Their codes are made here, which reads them once.
     *
     * @param mapped float32, little-endian, row after row
     * @param mappedRows how many; whole chunks of them stay where they are, the rest is copied
     */
    public VectorRows(
            MemorySegment mapped,
            int mappedRows,
            int dimension,
            Metric metric,
            Kernels kernels,
            boolean coded) {
        if (dimension < 1) {
            throw new IllegalArgumentException("A vector has " + dimension + " elements.");
        }
        this.scoring = new Scoring(kernels, metric, dimension);
        this.dimension = dimension;
        this.coded = coded;
        this.shift = 31 - Integer.numberOfLeadingZeros(Math.max(1, CHUNK_ELEMENTS / dimension));
        this.snapshot =
                new Snapshot(
                        dimension,
                        shift,
                        new float[0][],
                        new byte[0][],
                        new float[0][],
                        0,
                        mapped.asSlice(0, (long) mappedRows * dimension * Float.BYTES),
                        mappedRows);
        reserve(mappedRows);
        float[] row = new float[dimension];
        for (int i = 0; i < mappedRows; i++) {
            MemorySegment.copy(
                    mapped, FLOATS, (long) i * dimension * Float.BYTES, row, 0, dimension);
            if (!snapshot.isMapped(i)) {
                put(i, row, 0);
            } else {
                describe(i, row, 0);
            }
        }
    }

    public int dimension() {
        return dimension;
    }

    public Metric metric() {
        return scoring.metric();
    }

    public Kernels kernels() {
        return scoring.kernels();
    }

    /** Whether there are int8 codes. */
    public boolean coded() {
        return coded;
    }

    public Scoring scoring() {
        return scoring;
    }

    /** What readers read from; holds every row put before the call. */
    public Snapshot snapshot() {
        return snapshot;
    }

    /** Bytes of heap. */
    public long heapBytes() {
        Snapshot now = snapshot;
        long rows = now.capacity;
        long floats = 0;
        for (float[] chunk : now.floats) {
            floats += (long) chunk.length * Float.BYTES;
        }
        return floats + rows * (FACTORS * (long) Float.BYTES + (coded ? dimension : 0));
    }

    /** Makes room for rows 0 … {@code rows} − 1. */
    public synchronized void reserve(int rows) {
        Snapshot now = snapshot;
        if (rows > now.capacity) {
            snapshot = now.grown(capacityFor(rows, now.capacity), coded);
        }
    }

    /** Bytes of heap that {@link #reserve} would take more. */
    public long growthFor(int rows) {
        int capacity = snapshot.capacity;
        long more = rows <= capacity ? 0 : capacityFor(rows, capacity) - (long) capacity;
        return more * ((dimension + (long) FACTORS) * Float.BYTES + (coded ? dimension : 0));
    }

    private int capacityFor(int rows, int capacity) {
        int chunkRows = 1 << shift;
        if (rows >= chunkRows) {
            return Math.multiplyExact(Math.ceilDiv(rows, chunkRows), chunkRows);
        }
        int atLeast = Math.max(SMALLEST_CHUNK_ROWS, Math.max(rows, 2 * capacity));
        return Math.min(chunkRows, atLeast);
    }

    /**
     * Puts a vector of finite values. If the row lies in a mapped file, its chunk is copied to the
     * heap first, which may only be done while nobody reads: a reader would go on with the file.
     */
    public void put(int row, float[] source, int offset) {
        reserve(row + 1);
        if (snapshot.isMapped(row)) {
            takeIn(row);
        }
        Snapshot now = snapshot;
        System.arraycopy(source, offset, now.floats(row), now.floatOffset(row), dimension);
        describe(row, source, offset);
    }

    private synchronized void takeIn(int row) {
        Snapshot now = snapshot;
        int first = row & ~now.mask;
        float[] chunk = new float[now.chunkRows() * dimension];
        for (int i = 0; i < now.chunkRows(); i++) {
            now.copy(first + i, chunk, i * dimension);
        }
        float[][] floats = now.floats.clone();
        floats[row >>> shift] = chunk;
        snapshot = now.with(floats);
    }

    /** Codes and factors of a row. */
    private void describe(int row, float[] source, int offset) {
        Snapshot now = snapshot;
        float[] factors = now.factors(row);
        int at = now.factorOffset(row);
        factors[at + 1] =
                switch (metric()) {
                    case COSINE -> Scoring.inverseNorm(squared(source, offset));
                    case EUCLIDEAN, SQUARED_EUCLIDEAN -> (float) squared(source, offset);
                    case DOT_PRODUCT -> 1f;
                };
        if (coded) {
            byte[] codes = now.codes(row);
            int codesAt = now.codeOffset(row);
            float step = kernels().codes().encode(source, offset, codes, codesAt, dimension);
            double codesNorm = Math.sqrt(squared(codes, codesAt));
            // No element is farther from its code than half a step.
            double left = Math.nextUp(step) / 2.0 * Math.sqrt(dimension);
            boolean known = codesNorm == 0 || step >= Float.MIN_NORMAL;
            if (metric() == Metric.COSINE) {
                step = codesNorm == 0 ? 0f : (float) (1 / codesNorm);
                known &= !Float.isNaN(factors[at + 1]);
                left = apartAtLengthOne(left * factors[at + 1]);
            }
            double told = step * codesNorm;
            factors[at] = step;
            factors[at + 2] = upwards(told);
            factors[at + 3] =
                    known ? upwards(left + FLOAT_SHARE * (told + left)) : Float.POSITIVE_INFINITY;
        }
    }

    /**
     * Σ xᵢ². A plain loop, for opening a collection is the first thing a daemon does: the kernels,
     * not compiled yet, would take ten times as long then and leave garbage for each operation.
     */
    private double squared(float[] row, int offset) {
        double even = 0;
        double odd = 0;
        int end = offset + dimension;
        for (int i = offset; i + 1 < end; i += 2) {
            even += (double) row[i] * row[i];
            odd += (double) row[i + 1] * row[i + 1];
        }
        if ((dimension & 1) != 0) {
            even += (double) row[end - 1] * row[end - 1];
        }
        return even + odd;
    }

    private long squared(byte[] codes, int offset) {
        long sum = 0;
        for (int i = offset; i < offset + dimension; i++) {
            sum += codes[i] * codes[i];
        }
        return sum;
    }

    /**
     * How far apart two vectors are at most once both have length 1, if the other comes as near to
     * the one as this share of its length: the share is at least the sine of their angle, and the
     * answer twice the sine of half of it.
     */
    private static double apartAtLengthOne(double share) {
        return share >= 1 ? 2 : share / Math.sqrt((1 + Math.sqrt(1 - share * share)) / 2);
    }

    /** A float that is no less, even if the value itself is off in its last digits. */
    private static float upwards(double value) {
        return Math.nextUp((float) (value * (1 + 1e-12)));
    }

    /**
     * The arrays as they are at a moment. Rows are found by shifting and masking; arrays are handed
     * out for kernels to read.
     */
    public static final class Snapshot {
        private static final int NONE = 0;

        private final int dimension;
        private final int shift;
        private final int mask;
        private final float[][] floats;
        private final byte[][] codes;
        private final float[][] factors;
        private final int capacity;
        private final MemorySegment mapped;
        private final int mappedRows;

        private Snapshot(
                int dimension,
                int shift,
                float[][] floats,
                byte[][] codes,
                float[][] factors,
                int capacity,
                MemorySegment mapped,
                int mappedRows) {
            this.dimension = dimension;
            this.shift = shift;
            this.mask = (1 << shift) - 1;
            this.floats = floats;
            this.codes = codes;
            this.factors = factors;
            this.capacity = capacity;
            this.mapped = mapped;
            this.mappedRows = mappedRows;
        }

        private Snapshot with(float[][] newFloats) {
            return new Snapshot(
                    dimension, shift, newFloats, codes, factors, capacity, mapped, mappedRows);
        }

        private Snapshot grown(int rows, boolean coded) {
            int chunks = Math.ceilDiv(rows, chunkRows());
            float[][] newFloats = Arrays.copyOf(floats, chunks);
            byte[][] newCodes = Arrays.copyOf(codes, coded ? chunks : NONE);
            float[][] newFactors = Arrays.copyOf(factors, chunks);
            for (int i = 0; i < chunks; i++) {
                int inChunk = Math.min(chunkRows(), rows - i * chunkRows());
                int inHeap = (i + 1) * chunkRows() <= mappedRows ? NONE : inChunk;
                newFloats[i] = resized(newFloats[i], inHeap * dimension);
                newFactors[i] = resized(newFactors[i], inChunk * FACTORS);
                if (coded) {
                    byte[] old = newCodes[i];
                    int length = inChunk * dimension + CODE_LEAD;
                    newCodes[i] =
                            old == null
                                    ? new byte[length]
                                    : old.length < length ? Arrays.copyOf(old, length) : old;
                }
            }
            return new Snapshot(
                    dimension, shift, newFloats, newCodes, newFactors, rows, mapped, mappedRows);
        }

        private static float[] resized(float @Nullable [] old, int length) {
            if (old == null) {
                return new float[length];
            }
            return old.length < length ? Arrays.copyOf(old, length) : old;
        }

        public int dimension() {
            return dimension;
        }

        /** Rows there is room for. */
        public int capacity() {
            return capacity;
        }

        /** Whether a row is read from a mapped file and not from the heap. */
        public boolean isMapped(int row) {
            return row < mappedRows && floats[row >>> shift].length == 0;
        }

        /** Rows of the beginning of which some are read from a mapped file. */
        public int mappedRows() {
            return mappedRows;
        }

        /** Bytes of vectors that are read from a mapped file. */
        public long mappedBytes() {
            long rows = 0;
            for (int first = 0; first < mappedRows; first += chunkRows()) {
                rows += isMapped(first) ? chunkRows() : 0;
            }
            return rows * dimension * Float.BYTES;
        }

        /** Rows in a whole chunk; row r is in chunk r / chunkRows. */
        public int chunkRows() {
            return 1 << shift;
        }

        /** The row after the last one that stands in the same chunk as this. */
        public int chunkEnd(int row) {
            return Math.min(capacity, (row >>> shift) + 1 << shift);
        }

        /** The array that holds a row's values; not for mapped rows … */
        public float[] floats(int row) {
            return floats[row >>> shift];
        }

        /** … and where in it the row begins. */
        public int floatOffset(int row) {
            return (row & mask) * dimension;
        }

        /** The array that holds a row's codes … */
        public byte[] codes(int row) {
            return codes[row >>> shift];
        }

        /** … and where in it they begin. */
        public int codeOffset(int row) {
            return (row & mask) * dimension + CODE_LEAD;
        }

        /**
         * The array that holds a row's factors: with how much to multiply a product of its codes
         * with a query's (the step; with cosine, 1 over the norm of the codes) …
         */
        public float[] factors(int row) {
            return factors[row >>> shift];
        }

        /**
         * … and where in it they begin. The second is, by metric, 1 over the norm ({@link
         * Scoring#inverseNorm}), the squared norm, or 1. The other two are there if there are
         * codes, and rounded up. The third is the norm of the vector that the codes stand for, the
         * fourth how far the row (with cosine, the row at length 1) may be from that, and the share
         * of both that sums in float may be off: {@link CodeQuery} says what can be told from them.
         */
        public int factorOffset(int row) {
            return (row & mask) * FACTORS;
        }

        /** The second factor where it is 1 over the norm; 1 with other metrics. */
        public float inverseNorm(Metric metric, int row) {
            return metric == Metric.COSINE ? factors(row)[factorOffset(row) + 1] : 1f;
        }

        /** Copies a row's values, wherever they are. */
        public void copy(int row, float[] target, int offset) {
            if (isMapped(row)) {
                MemorySegment.copy(
                        mapped,
                        FLOATS,
                        (long) row * dimension * Float.BYTES,
                        target,
                        offset,
                        dimension);
            } else {
                System.arraycopy(floats(row), floatOffset(row), target, offset, dimension);
            }
        }

        /** Whether a row has exactly these values. */
        public boolean isEqual(int row, float[] values) {
            if (isMapped(row)) {
                for (int i = 0; i < dimension; i++) {
                    long at = ((long) row * dimension + i) * Float.BYTES;
                    if (mapped.get(FLOATS, at) != values[i]) {
                        return false;
                    }
                }
                return true;
            }
            int offset = floatOffset(row);
            return Arrays.equals(floats(row), offset, offset + dimension, values, 0, dimension);
        }

        /** A copy of a row's values. */
        public float[] get(int row) {
            float[] values = new float[dimension];
            copy(row, values, 0);
            return values;
        }
    }
}
