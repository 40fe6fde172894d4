package neuralcore.vectors.simd;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Kernels on the JDK's Vector API. Only {@link KernelProvider} creates one, after it has made sure
 * that the module is there and that the JIT will compile it well.
 *
 * <p><b>Speed.</b> Whether C2 keeps vectors in registers decides everything here, so each loop is
 * written out by hand: no method takes or returns a vector (one that is not inlined would box it),
 * each stays below the 325 bytecodes up to which C2 inlines a hot method (the tile in {@link
 * PanamaTile} is called as a whole and may be longer), the species is a constant of the class, and
 * several sums run side by side because an addition takes four cycles and two can begin in each.
 *
 * <p><b>Precision.</b> A lane sums at most {@value #TERMS} products in float before they go to a
 * double, so that the error does not grow with the dimension.
 *
 * <p>The several sums and the four rows a query load follow Lucene's PanamaVectorUtilSupport and
 * MemorySegmentBulkVectorOps.
 */
final class PanamaKernels implements Kernels {
    /** The system property that narrows the vectors, so that tests cover every width. */
    static final String BITS_PROPERTY = "neuralcore.vectorbits";

    static final VectorSpecies<Float> SPECIES =
            VectorSpecies.of(
                    float.class,
                    VectorShape.forBitSize(
                            Integer.getInteger(
                                    BITS_PROPERTY, FloatVector.SPECIES_PREFERRED.vectorBitSize())));

    private static final int LANES = SPECIES.length();

    /** Products that one lane sums up in float. */
    static final int TERMS = 24;

    /** Elements that one sum takes in float. */
    private static final int BLOCK = LANES * TERMS;

    /** Squared norms within these bounds have lost nothing, and their product is a float. */
    private static final float SMALLEST = 1e-18f;

    private static final float LARGEST = 1e18f;

    private final CodeKernels codes = new PanamaCodes();
    private final HalfKernels halves = new PanamaHalves();
    private final SegmentKernels segments = new PanamaSegments();

    @Override
    public String name() {
        return "panama-" + SPECIES.vectorBitSize();
    }

    @Override
    public int vectorBits() {
        return SPECIES.vectorBitSize();
    }

    @Override
    public float dot(float[] a, int aOffset, float[] b, int bOffset, int length) {
        double sum = 0;
        int i = 0;
        int limit = length & -(4 * LANES);
        while (i < limit) {
            int end = Math.min(i + 2 * BLOCK, limit);
            FloatVector sum0 = FloatVector.zero(SPECIES);
            FloatVector sum1 = FloatVector.zero(SPECIES);
            FloatVector sum2 = FloatVector.zero(SPECIES);
            FloatVector sum3 = FloatVector.zero(SPECIES);
            for (; i < end; i += 4 * LANES) {
                int p = aOffset + i;
                int q = bOffset + i;
                sum0 =
                        FloatVector.fromArray(SPECIES, a, p)
                                .fma(FloatVector.fromArray(SPECIES, b, q), sum0);
                sum1 =
                        FloatVector.fromArray(SPECIES, a, p + LANES)
                                .fma(FloatVector.fromArray(SPECIES, b, q + LANES), sum1);
                sum2 =
                        FloatVector.fromArray(SPECIES, a, p + 2 * LANES)
                                .fma(FloatVector.fromArray(SPECIES, b, q + 2 * LANES), sum2);
                sum3 =
                        FloatVector.fromArray(SPECIES, a, p + 3 * LANES)
                                .fma(FloatVector.fromArray(SPECIES, b, q + 3 * LANES), sum3);
            }
            sum += sum0.add(sum1).add(sum2.add(sum3)).reduceLanes(VectorOperators.ADD);
        }
        sum += dotTail(a, aOffset + i, b, bOffset + i, length - i);
        return Math.abs(sum) <= Float.MAX_VALUE
                ? (float) sum
                : (float) Exact.dot(a, aOffset, b, bOffset, length);
    }

    /** The fewer than four vectors that the unrolled loop leaves. */
    private static double dotTail(float[] a, int aOffset, float[] b, int bOffset, int length) {
        FloatVector lanes = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= length - LANES; i += LANES) {
            lanes =
                    FloatVector.fromArray(SPECIES, a, aOffset + i)
                            .fma(FloatVector.fromArray(SPECIES, b, bOffset + i), lanes);
        }
        double sum = i == 0 ? 0 : lanes.reduceLanes(VectorOperators.ADD);
        for (; i < length; i++) {
            sum += (double) a[aOffset + i] * b[bOffset + i];
        }
        return sum;
    }

    @Override
    public float squaredEuclidean(float[] a, int aOffset, float[] b, int bOffset, int length) {
        double sum = 0;
        int i = 0;
        int limit = length & -(2 * LANES);
        while (i < limit) {
            int end = Math.min(i + 2 * BLOCK, limit);
            FloatVector sum0 = FloatVector.zero(SPECIES);
            FloatVector sum1 = FloatVector.zero(SPECIES);
            for (; i < end; i += 2 * LANES) {
                int p = aOffset + i;
                int q = bOffset + i;
                FloatVector d0 =
                        FloatVector.fromArray(SPECIES, a, p)
                                .sub(FloatVector.fromArray(SPECIES, b, q));
                FloatVector d1 =
                        FloatVector.fromArray(SPECIES, a, p + LANES)
                                .sub(FloatVector.fromArray(SPECIES, b, q + LANES));
                sum0 = d0.fma(d0, sum0);
                sum1 = d1.fma(d1, sum1);
            }
            sum += sum0.add(sum1).reduceLanes(VectorOperators.ADD);
        }
        sum += Exact.squaredEuclidean(a, aOffset + i, b, bOffset + i, length - i);
        return sum <= Float.MAX_VALUE
                ? (float) sum
                : (float) Exact.squaredEuclidean(a, aOffset, b, bOffset, length);
    }

    @Override
    public float cosine(float[] a, int aOffset, float[] b, int bOffset, int length) {
        double dot = 0;
        double aSquared = 0;
        double bSquared = 0;
        int i = 0;
        int limit = length & -(2 * LANES);
        while (i < limit) {
            int end = Math.min(i + 2 * BLOCK, limit);
            FloatVector zero = FloatVector.zero(SPECIES);
            FloatVector dot0 = zero;
            FloatVector dot1 = zero;
            FloatVector aSquared0 = zero;
            FloatVector aSquared1 = zero;
            FloatVector bSquared0 = zero;
            FloatVector bSquared1 = zero;
            for (; i < end; i += 2 * LANES) {
                FloatVector a0 = FloatVector.fromArray(SPECIES, a, aOffset + i);
                FloatVector b0 = FloatVector.fromArray(SPECIES, b, bOffset + i);
                dot0 = a0.fma(b0, dot0);
                aSquared0 = a0.fma(a0, aSquared0);
                bSquared0 = b0.fma(b0, bSquared0);
                FloatVector a1 = FloatVector.fromArray(SPECIES, a, aOffset + i + LANES);
                FloatVector b1 = FloatVector.fromArray(SPECIES, b, bOffset + i + LANES);
                dot1 = a1.fma(b1, dot1);
                aSquared1 = a1.fma(a1, aSquared1);
                bSquared1 = b1.fma(b1, bSquared1);
            }
            dot += dot0.add(dot1).reduceLanes(VectorOperators.ADD);
            aSquared += aSquared0.add(aSquared1).reduceLanes(VectorOperators.ADD);
            bSquared += bSquared0.add(bSquared1).reduceLanes(VectorOperators.ADD);
        }
        return cosineOf(dot, aSquared, bSquared, a, aOffset, b, bOffset, i, length);
    }

    /** The cosine from the sums over the elements before {@code from}. */
    private static float cosineOf(
            double dot,
            double aSquared,
            double bSquared,
            float[] a,
            int aOffset,
            float[] b,
            int bOffset,
            int from,
            int length) {
        double allDot = dot;
        double allA = aSquared;
        double allB = bSquared;
        for (int i = from; i < length; i++) {
            double x = a[aOffset + i];
            double y = b[bOffset + i];
            allDot += x * y;
            allA += x * x;
            allB += y * y;
        }
        return inRange((float) allA) && inRange((float) allB)
                ? quotient((float) allDot, (float) allA, (float) allB)
                : Exact.cosine(a, aOffset, b, bOffset, length);
    }

    private static boolean inRange(float squaredNorm) {
        return squaredNorm >= SMALLEST && squaredNorm <= LARGEST;
    }

    /** Root and quotient in float: in double they would be a quarter of the time of a cosine. */
    private static float quotient(float dot, float aSquared, float bSquared) {
        float cosine = dot / (float) Math.sqrt(aSquared * bSquared);
        return cosine > 1f ? 1f : cosine < -1f ? -1f : cosine;
    }

    @Override
    public boolean allFinite(float[] a, int offset, int length) {
        // 0 · x is 0, but NaN where x is NaN or infinite, and NaN stays in a sum.
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector sum0 = zero;
        FloatVector sum1 = zero;
        int i = 0;
        int limit = length & -(2 * LANES);
        for (; i < limit; i += 2 * LANES) {
            sum0 = FloatVector.fromArray(SPECIES, a, offset + i).fma(zero, sum0);
            sum1 = FloatVector.fromArray(SPECIES, a, offset + i + LANES).fma(zero, sum1);
        }
        float sum = sum0.add(sum1).reduceLanes(VectorOperators.ADD);
        for (; i < length; i++) {
            sum += a[offset + i] * 0f;
        }
        return sum == 0f;
    }

    @Override
    public void dot4(
            float[] query,
            int queryOffset,
            float[] rows,
            int row0,
            int row1,
            int row2,
            int row3,
            int length,
            float[] out,
            int outOffset) {
        double total0 = 0;
        double total1 = 0;
        double total2 = 0;
        double total3 = 0;
        int i = 0;
        int limit = length & -LANES;
        while (i < limit) {
            int end = Math.min(i + BLOCK, limit);
            FloatVector zero = FloatVector.zero(SPECIES);
            FloatVector sum0 = zero;
            FloatVector sum1 = zero;
            FloatVector sum2 = zero;
            FloatVector sum3 = zero;
            for (; i < end; i += LANES) {
                FloatVector q = FloatVector.fromArray(SPECIES, query, queryOffset + i);
                sum0 = q.fma(FloatVector.fromArray(SPECIES, rows, row0 + i), sum0);
                sum1 = q.fma(FloatVector.fromArray(SPECIES, rows, row1 + i), sum1);
                sum2 = q.fma(FloatVector.fromArray(SPECIES, rows, row2 + i), sum2);
                sum3 = q.fma(FloatVector.fromArray(SPECIES, rows, row3 + i), sum3);
            }
            total0 += sum0.reduceLanes(VectorOperators.ADD);
            total1 += sum1.reduceLanes(VectorOperators.ADD);
            total2 += sum2.reduceLanes(VectorOperators.ADD);
            total3 += sum3.reduceLanes(VectorOperators.ADD);
        }
        out[outOffset] = (float) total0;
        out[outOffset + 1] = (float) total1;
        out[outOffset + 2] = (float) total2;
        out[outOffset + 3] = (float) total3;
        dot4Tail(query, queryOffset, rows, row0, row1, row2, row3, i, length, out, outOffset);
    }

    /** Adds the elements from {@code from} on, which fill no vector. */
    private static void dot4Tail(
            float[] query,
            int queryOffset,
            float[] rows,
            int row0,
            int row1,
            int row2,
            int row3,
            int from,
            int length,
            float[] out,
            int outOffset) {
        if (from == length) {
            return;
        }
        double sum0 = out[outOffset];
        double sum1 = out[outOffset + 1];
        double sum2 = out[outOffset + 2];
        double sum3 = out[outOffset + 3];
        for (int i = from; i < length; i++) {
            double q = query[queryOffset + i];
            sum0 += q * rows[row0 + i];
            sum1 += q * rows[row1 + i];
            sum2 += q * rows[row2 + i];
            sum3 += q * rows[row3 + i];
        }
        out[outOffset] = (float) sum0;
        out[outOffset + 1] = (float) sum1;
        out[outOffset + 2] = (float) sum2;
        out[outOffset + 3] = (float) sum3;
    }

    @Override
    public void squaredEuclidean4(
            float[] query,
            int queryOffset,
            float[] rows,
            int row0,
            int row1,
            int row2,
            int row3,
            int length,
            float[] out,
            int outOffset) {
        squaredEuclidean2(query, queryOffset, rows, row0, row1, length, out, outOffset);
        squaredEuclidean2(query, queryOffset, rows, row2, row3, length, out, outOffset + 2);
    }

    private static void squaredEuclidean2(
            float[] query,
            int queryOffset,
            float[] rows,
            int row0,
            int row1,
            int length,
            float[] out,
            int outOffset) {
        double total0 = 0;
        double total1 = 0;
        int i = 0;
        int limit = length & -LANES;
        while (i < limit) {
            int end = Math.min(i + BLOCK, limit);
            FloatVector sum0 = FloatVector.zero(SPECIES);
            FloatVector sum1 = FloatVector.zero(SPECIES);
            for (; i < end; i += LANES) {
                FloatVector q = FloatVector.fromArray(SPECIES, query, queryOffset + i);
                FloatVector d0 = q.sub(FloatVector.fromArray(SPECIES, rows, row0 + i));
                FloatVector d1 = q.sub(FloatVector.fromArray(SPECIES, rows, row1 + i));
                sum0 = d0.fma(d0, sum0);
                sum1 = d1.fma(d1, sum1);
            }
            total0 += sum0.reduceLanes(VectorOperators.ADD);
            total1 += sum1.reduceLanes(VectorOperators.ADD);
        }
        if (i < length) {
            int rest = length - i;
            total0 += Exact.squaredEuclidean(query, queryOffset + i, rows, row0 + i, rest);
            total1 += Exact.squaredEuclidean(query, queryOffset + i, rows, row1 + i, rest);
        }
        out[outOffset] = (float) total0;
        out[outOffset + 1] = (float) total1;
    }

    @Override
    public void dot4(
            float[] query,
            int queryOffset,
            float[] rows0,
            int row0,
            float[] rows1,
            int row1,
            float[] rows2,
            int row2,
            float[] rows3,
            int row3,
            int length,
            float[] out,
            int outOffset) {
        PanamaGather.dot4(
                query,
                queryOffset,
                rows0,
                row0,
                rows1,
                row1,
                rows2,
                row2,
                rows3,
                row3,
                length,
                out,
                outOffset);
    }

    @Override
    public void squaredEuclidean4(
            float[] query,
            int queryOffset,
            float[] rows0,
            int row0,
            float[] rows1,
            int row1,
            float[] rows2,
            int row2,
            float[] rows3,
            int row3,
            int length,
            float[] out,
            int outOffset) {
        PanamaGather.squaredEuclidean4(
                query,
                queryOffset,
                rows0,
                row0,
                rows1,
                row1,
                rows2,
                row2,
                rows3,
                row3,
                length,
                out,
                outOffset);
    }

    @Override
    public CodeKernels codes() {
        return codes;
    }

    @Override
    public HalfKernels halves() {
        return halves;
    }

    @Override
    public SegmentKernels segments() {
        return segments;
    }

    @Override
    public void scaleToCosines(float[] values, int offset, int count, float factor) {
        PanamaResults.scaleToCosines(values, offset, count, factor);
    }

    @Override
    public boolean anyAtLeast(
            float[] values, int offset, float[] limits, int limitsOffset, int count) {
        return PanamaResults.anyAtLeast(values, offset, limits, limitsOffset, count);
    }

    @Override
    public PackedRows pack(float[] rows, int offset, int count, int length) {
        return PackedRows.of(rows, offset, count, 2 * LANES, length);
    }

    @Override
    public void product(float[] rows, int offset, int count, PackedRows packed, float[] out) {
        PanamaTile.product(rows, offset, count, packed, out);
    }
}
