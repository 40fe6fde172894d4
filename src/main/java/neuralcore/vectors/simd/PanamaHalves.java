package neuralcore.vectors.simd;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Kernels on float16 on the Vector API, which has no such type: a half's exponent and fraction are
 * moved to where a float has them, and the exponent's other bias is made good by a multiplication
 * with 2¹¹², which is right for denormals too.
 */
final class PanamaHalves implements HalfKernels {
    private static final VectorSpecies<Float> SPECIES = PanamaKernels.SPECIES;
    private static final VectorSpecies<Integer> INTS =
            VectorSpecies.of(int.class, SPECIES.vectorShape());
    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(SPECIES.vectorBitSize() / 2));
    private static final int LANES = SPECIES.length();
    private static final int BLOCK = LANES * PanamaKernels.TERMS;
    private static final float BIAS = 0x1p112f;
    private static final int MAGNITUDE = 0x7fff;
    private static final int SIGN = 0x8000_0000;

    @Override
    public float dot(float[] query, int queryOffset, short[] row, int offset, int length) {
        double sum = 0;
        int i = 0;
        int limit = length & -LANES;
        while (i < limit) {
            int end = Math.min(i + BLOCK, limit);
            FloatVector lanes = FloatVector.zero(SPECIES);
            for (; i < end; i += LANES) {
                IntVector bits =
                        (IntVector)
                                ShortVector.fromArray(SHORTS, row, offset + i).castShape(INTS, 0);
                IntVector moved =
                        bits.and(MAGNITUDE)
                                .lanewise(VectorOperators.LSHL, 13)
                                .or(bits.lanewise(VectorOperators.LSHL, 16).and(SIGN));
                FloatVector values = moved.reinterpretAsFloats().mul(BIAS);
                lanes = values.fma(FloatVector.fromArray(SPECIES, query, queryOffset + i), lanes);
            }
            sum += lanes.reduceLanes(VectorOperators.ADD);
        }
        sum += ScalarHalves.exactDot(query, queryOffset + i, row, offset + i, length - i);
        return Math.abs(sum) <= Float.MAX_VALUE
                ? (float) sum
                : (float) ScalarHalves.exactDot(query, queryOffset, row, offset, length);
    }

    @Override
    public float squaredEuclidean(
            float[] query, int queryOffset, short[] row, int offset, int length) {
        double sum = 0;
        int i = 0;
        int limit = length & -LANES;
        while (i < limit) {
            int end = Math.min(i + BLOCK, limit);
            FloatVector lanes = FloatVector.zero(SPECIES);
            for (; i < end; i += LANES) {
                IntVector bits =
                        (IntVector)
                                ShortVector.fromArray(SHORTS, row, offset + i).castShape(INTS, 0);
                IntVector moved =
                        bits.and(MAGNITUDE)
                                .lanewise(VectorOperators.LSHL, 13)
                                .or(bits.lanewise(VectorOperators.LSHL, 16).and(SIGN));
                FloatVector values = moved.reinterpretAsFloats().mul(BIAS);
                FloatVector difference =
                        FloatVector.fromArray(SPECIES, query, queryOffset + i).sub(values);
                lanes = difference.fma(difference, lanes);
            }
            sum += lanes.reduceLanes(VectorOperators.ADD);
        }
        sum += ScalarHalves.exactSquared(query, queryOffset + i, row, offset + i, length - i);
        return sum <= Float.MAX_VALUE
                ? (float) sum
                : (float) ScalarHalves.exactSquared(query, queryOffset, row, offset, length);
    }
}
