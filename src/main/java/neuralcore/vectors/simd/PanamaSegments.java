package neuralcore.vectors.simd;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** Kernels on segments on the Vector API. The loops are those of {@link PanamaKernels}. */
final class PanamaSegments implements SegmentKernels {
    private static final VectorSpecies<Float> SPECIES = PanamaKernels.SPECIES;
    private static final int LANES = SPECIES.length();
    private static final int BLOCK = LANES * PanamaKernels.TERMS;

    @Override
    public float dot(float[] query, int queryOffset, MemorySegment rows, long row, int length) {
        double sum = 0;
        int i = 0;
        int limit = length & -(2 * LANES);
        while (i < limit) {
            int end = Math.min(i + 2 * BLOCK, limit);
            FloatVector sum0 = FloatVector.zero(SPECIES);
            FloatVector sum1 = FloatVector.zero(SPECIES);
            for (; i < end; i += 2 * LANES) {
                int p = queryOffset + i;
                long at = row + 4L * i;
                sum0 =
                        FloatVector.fromArray(SPECIES, query, p)
                                .fma(
                                        FloatVector.fromMemorySegment(
                                                SPECIES, rows, at, LITTLE_ENDIAN),
                                        sum0);
                sum1 =
                        FloatVector.fromArray(SPECIES, query, p + LANES)
                                .fma(
                                        FloatVector.fromMemorySegment(
                                                SPECIES, rows, at + 4L * LANES, LITTLE_ENDIAN),
                                        sum1);
            }
            sum += sum0.add(sum1).reduceLanes(VectorOperators.ADD);
        }
        return (float) (sum + ScalarSegments.exactDot(query, queryOffset, rows, row, i, length));
    }

    @Override
    public float squaredEuclidean(
            float[] query, int queryOffset, MemorySegment rows, long row, int length) {
        double sum = 0;
        int i = 0;
        int limit = length & -LANES;
        while (i < limit) {
            int end = Math.min(i + BLOCK, limit);
            FloatVector lanes = FloatVector.zero(SPECIES);
            for (; i < end; i += LANES) {
                FloatVector difference =
                        FloatVector.fromArray(SPECIES, query, queryOffset + i)
                                .sub(
                                        FloatVector.fromMemorySegment(
                                                SPECIES, rows, row + 4L * i, LITTLE_ENDIAN));
                lanes = difference.fma(difference, lanes);
            }
            sum += lanes.reduceLanes(VectorOperators.ADD);
        }
        return (float)
                (sum + ScalarSegments.exactSquared(query, queryOffset, rows, row, i, length));
    }

    @Override
    public void dot4(
            float[] query,
            int queryOffset,
            MemorySegment rows,
            long row0,
            long row1,
            long row2,
            long row3,
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
                long at = 4L * i;
                sum0 =
                        q.fma(
                                FloatVector.fromMemorySegment(
                                        SPECIES, rows, row0 + at, LITTLE_ENDIAN),
                                sum0);
                sum1 =
                        q.fma(
                                FloatVector.fromMemorySegment(
                                        SPECIES, rows, row1 + at, LITTLE_ENDIAN),
                                sum1);
                sum2 =
                        q.fma(
                                FloatVector.fromMemorySegment(
                                        SPECIES, rows, row2 + at, LITTLE_ENDIAN),
                                sum2);
                sum3 =
                        q.fma(
                                FloatVector.fromMemorySegment(
                                        SPECIES, rows, row3 + at, LITTLE_ENDIAN),
                                sum3);
            }
            total0 += sum0.reduceLanes(VectorOperators.ADD);
            total1 += sum1.reduceLanes(VectorOperators.ADD);
            total2 += sum2.reduceLanes(VectorOperators.ADD);
            total3 += sum3.reduceLanes(VectorOperators.ADD);
        }
        out[outOffset] =
                (float)
                        (total0
                                + ScalarSegments.exactDot(
                                        query, queryOffset, rows, row0, i, length));
        out[outOffset + 1] =
                (float)
                        (total1
                                + ScalarSegments.exactDot(
                                        query, queryOffset, rows, row1, i, length));
        out[outOffset + 2] =
                (float)
                        (total2
                                + ScalarSegments.exactDot(
                                        query, queryOffset, rows, row2, i, length));
        out[outOffset + 3] =
                (float)
                        (total3
                                + ScalarSegments.exactDot(
                                        query, queryOffset, rows, row3, i, length));
    }

    @Override
    public void codeDot4(
            short[] query,
            MemorySegment rows,
            long row0,
            long row1,
            long row2,
            long row3,
            int length,
            float[] out,
            int outOffset) {
        out[outOffset] = codeDot(query, rows, row0, length);
        out[outOffset + 1] = codeDot(query, rows, row1, length);
        out[outOffset + 2] = codeDot(query, rows, row2, length);
        out[outOffset + 3] = codeDot(query, rows, row3, length);
    }

    /** As {@link PanamaCodes} does it, which says how. */
    private static float codeDot(short[] query, MemorySegment rows, long row, int length) {
        int paired = length & -(2 * PanamaCodes.LANES);
        IntVector total = IntVector.zero(PanamaCodes.INTS);
        int end;
        for (int from = 0; from < paired; from = end) {
            end = Math.min(from + PanamaCodes.BLOCK, paired);
            ShortVector lower = ShortVector.zero(PanamaCodes.SHORTS);
            ShortVector upper = ShortVector.zero(PanamaCodes.SHORTS);
            for (int i = from; i != end; i += 2 * PanamaCodes.LANES) {
                ShortVector w =
                        ByteVector.fromMemorySegment(
                                        PanamaCodes.PAIRS, rows, row + i, LITTLE_ENDIAN)
                                .reinterpretAsShorts()
                                .lanewise(VectorOperators.XOR, PanamaCodes.SIGNS);
                lower =
                        lower.add(
                                w.mul(
                                        ShortVector.fromArray(
                                                PanamaCodes.SHORTS, query, length + i)));
                upper =
                        upper.add(
                                w.reinterpretAsInts()
                                        .lanewise(VectorOperators.LSHR, 8)
                                        .reinterpretAsShorts()
                                        .lanewise(VectorOperators.AND, PanamaCodes.LOWER)
                                        .mul(
                                                ShortVector.fromArray(
                                                        PanamaCodes.SHORTS,
                                                        query,
                                                        length + i + PanamaCodes.LANES)));
            }
            ShortVector bias =
                    ShortVector.fromArray(
                            PanamaCodes.SHORTS, query, length + paired + from / PanamaCodes.TERMS);
            total = total.add(PanamaCodes.widened(lower.add(upper).add(bias)));
        }
        return total.reduceLanes(VectorOperators.ADD)
                + ScalarSegments.codeDot(query, rows, row, paired, length);
    }
}
