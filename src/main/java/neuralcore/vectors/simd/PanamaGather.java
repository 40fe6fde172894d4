package neuralcore.vectors.simd;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * One query with four rows that stand in arrays of their own, as a graph's neighbours do in a
 * chunked store. The reasons for how loops are written are in {@link PanamaKernels}; these are too
 * long to be inlined and are called as a whole, which four rows are worth.
 */
final class PanamaGather {
    private static final VectorSpecies<Float> SPECIES = PanamaKernels.SPECIES;
    private static final int LANES = SPECIES.length();
    private static final int BLOCK = LANES * PanamaKernels.TERMS;

    private PanamaGather() {}

    static void dot4(
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
        double total0 = 0;
        double total1 = 0;
        double total2 = 0;
        double total3 = 0;
        int i = 0;
        int limit = length & -LANES;
        while (i < limit) {
            int end = Math.min(i + BLOCK, limit);
            FloatVector sum0 = FloatVector.zero(SPECIES);
            FloatVector sum1 = FloatVector.zero(SPECIES);
            FloatVector sum2 = FloatVector.zero(SPECIES);
            FloatVector sum3 = FloatVector.zero(SPECIES);
            for (; i < end; i += LANES) {
                FloatVector q = FloatVector.fromArray(SPECIES, query, queryOffset + i);
                sum0 = q.fma(FloatVector.fromArray(SPECIES, rows0, row0 + i), sum0);
                sum1 = q.fma(FloatVector.fromArray(SPECIES, rows1, row1 + i), sum1);
                sum2 = q.fma(FloatVector.fromArray(SPECIES, rows2, row2 + i), sum2);
                sum3 = q.fma(FloatVector.fromArray(SPECIES, rows3, row3 + i), sum3);
            }
            total0 += sum0.reduceLanes(VectorOperators.ADD);
            total1 += sum1.reduceLanes(VectorOperators.ADD);
            total2 += sum2.reduceLanes(VectorOperators.ADD);
            total3 += sum3.reduceLanes(VectorOperators.ADD);
        }
        out[outOffset] = (float) (total0 + dotTail(query, queryOffset, rows0, row0, i, length));
        out[outOffset + 1] = (float) (total1 + dotTail(query, queryOffset, rows1, row1, i, length));
        out[outOffset + 2] = (float) (total2 + dotTail(query, queryOffset, rows2, row2, i, length));
        out[outOffset + 3] = (float) (total3 + dotTail(query, queryOffset, rows3, row3, i, length));
    }

    static void squaredEuclidean4(
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
        double total0 = 0;
        double total1 = 0;
        double total2 = 0;
        double total3 = 0;
        int i = 0;
        int limit = length & -LANES;
        while (i < limit) {
            int end = Math.min(i + BLOCK, limit);
            FloatVector sum0 = FloatVector.zero(SPECIES);
            FloatVector sum1 = FloatVector.zero(SPECIES);
            FloatVector sum2 = FloatVector.zero(SPECIES);
            FloatVector sum3 = FloatVector.zero(SPECIES);
            for (; i < end; i += LANES) {
                FloatVector q = FloatVector.fromArray(SPECIES, query, queryOffset + i);
                FloatVector d0 = q.sub(FloatVector.fromArray(SPECIES, rows0, row0 + i));
                sum0 = d0.fma(d0, sum0);
                FloatVector d1 = q.sub(FloatVector.fromArray(SPECIES, rows1, row1 + i));
                sum1 = d1.fma(d1, sum1);
                FloatVector d2 = q.sub(FloatVector.fromArray(SPECIES, rows2, row2 + i));
                sum2 = d2.fma(d2, sum2);
                FloatVector d3 = q.sub(FloatVector.fromArray(SPECIES, rows3, row3 + i));
                sum3 = d3.fma(d3, sum3);
            }
            total0 += sum0.reduceLanes(VectorOperators.ADD);
            total1 += sum1.reduceLanes(VectorOperators.ADD);
            total2 += sum2.reduceLanes(VectorOperators.ADD);
            total3 += sum3.reduceLanes(VectorOperators.ADD);
        }
        out[outOffset] =
                (float) (total0 + squaredEuclideanTail(query, queryOffset, rows0, row0, i, length));
        out[outOffset + 1] =
                (float) (total1 + squaredEuclideanTail(query, queryOffset, rows1, row1, i, length));
        out[outOffset + 2] =
                (float) (total2 + squaredEuclideanTail(query, queryOffset, rows2, row2, i, length));
        out[outOffset + 3] =
                (float) (total3 + squaredEuclideanTail(query, queryOffset, rows3, row3, i, length));
    }

    /** The elements that fill no vector. */
    private static double dotTail(
            float[] query, int queryOffset, float[] rows, int row, int from, int length) {
        return from == length
                ? 0
                : Exact.dot(query, queryOffset + from, rows, row + from, length - from);
    }

    private static double squaredEuclideanTail(
            float[] query, int queryOffset, float[] rows, int row, int from, int length) {
        return from == length
                ? 0
                : Exact.squaredEuclidean(
                        query, queryOffset + from, rows, row + from, length - from);
    }
}
