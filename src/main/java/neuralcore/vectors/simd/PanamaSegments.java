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
        IntVector total0 = IntVector.zero(PanamaCodes.INTS);
        IntVector total1 = IntVector.zero(PanamaCodes.INTS);
        IntVector total2 = IntVector.zero(PanamaCodes.INTS);
        IntVector total3 = IntVector.zero(PanamaCodes.INTS);
        int i = 0;
        int limit = length & -PanamaCodes.LANES;
        while (i < limit) {
            int end = Math.min(i + PanamaCodes.BLOCK, limit);
            ShortVector sum0 = ShortVector.zero(PanamaCodes.SHORTS);
            ShortVector sum1 = ShortVector.zero(PanamaCodes.SHORTS);
            ShortVector sum2 = ShortVector.zero(PanamaCodes.SHORTS);
            ShortVector sum3 = ShortVector.zero(PanamaCodes.SHORTS);
            for (; i < end; i += PanamaCodes.LANES) {
                ShortVector q = ShortVector.fromArray(PanamaCodes.SHORTS, query, i);
                sum0 =
                        sum0.add(
                                q.mul(
                                        ByteVector.fromMemorySegment(
                                                        PanamaCodes.BYTES,
                                                        rows,
                                                        row0 + i,
                                                        LITTLE_ENDIAN)
                                                .castShape(PanamaCodes.SHORTS, 0)));
                sum1 =
                        sum1.add(
                                q.mul(
                                        ByteVector.fromMemorySegment(
                                                        PanamaCodes.BYTES,
                                                        rows,
                                                        row1 + i,
                                                        LITTLE_ENDIAN)
                                                .castShape(PanamaCodes.SHORTS, 0)));
                sum2 =
                        sum2.add(
                                q.mul(
                                        ByteVector.fromMemorySegment(
                                                        PanamaCodes.BYTES,
                                                        rows,
                                                        row2 + i,
                                                        LITTLE_ENDIAN)
                                                .castShape(PanamaCodes.SHORTS, 0)));
                sum3 =
                        sum3.add(
                                q.mul(
                                        ByteVector.fromMemorySegment(
                                                        PanamaCodes.BYTES,
                                                        rows,
                                                        row3 + i,
                                                        LITTLE_ENDIAN)
                                                .castShape(PanamaCodes.SHORTS, 0)));
            }
            total0 =
                    total0.add(
                                    sum0.reinterpretAsInts()
                                            .lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(sum0.reinterpretAsInts().lanewise(VectorOperators.ASHR, 16));
            total1 =
                    total1.add(
                                    sum1.reinterpretAsInts()
                                            .lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(sum1.reinterpretAsInts().lanewise(VectorOperators.ASHR, 16));
            total2 =
                    total2.add(
                                    sum2.reinterpretAsInts()
                                            .lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(sum2.reinterpretAsInts().lanewise(VectorOperators.ASHR, 16));
            total3 =
                    total3.add(
                                    sum3.reinterpretAsInts()
                                            .lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(sum3.reinterpretAsInts().lanewise(VectorOperators.ASHR, 16));
        }
        out[outOffset] =
                total0.reduceLanes(VectorOperators.ADD)
                        + ScalarSegments.codeDot(query, rows, row0, i, length);
        out[outOffset + 1] =
                total1.reduceLanes(VectorOperators.ADD)
                        + ScalarSegments.codeDot(query, rows, row1, i, length);
        out[outOffset + 2] =
                total2.reduceLanes(VectorOperators.ADD)
                        + ScalarSegments.codeDot(query, rows, row2, i, length);
        out[outOffset + 3] =
                total3.reduceLanes(VectorOperators.ADD)
                        + ScalarSegments.codeDot(query, rows, row3, i, length);
    }
}
