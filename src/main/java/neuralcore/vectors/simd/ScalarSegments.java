package neuralcore.vectors.simd;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Kernels on segments in plain Java, every sum in double precision. */
final class ScalarSegments implements SegmentKernels {
    private static final ValueLayout.OfFloat FLOATS =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    @Override
    public float dot(float[] query, int queryOffset, MemorySegment rows, long row, int length) {
        return (float) exactDot(query, queryOffset, rows, row, 0, length);
    }

    /** The products of the elements from {@code from} on. */
    static double exactDot(
            float[] query, int queryOffset, MemorySegment rows, long row, int from, int length) {
        double sum = 0;
        for (int i = from; i < length; i++) {
            sum += (double) query[queryOffset + i] * rows.get(FLOATS, row + 4L * i);
        }
        return sum;
    }

    @Override
    public float squaredEuclidean(
            float[] query, int queryOffset, MemorySegment rows, long row, int length) {
        return (float) exactSquared(query, queryOffset, rows, row, 0, length);
    }

    static double exactSquared(
            float[] query, int queryOffset, MemorySegment rows, long row, int from, int length) {
        double sum = 0;
        for (int i = from; i < length; i++) {
            double difference = (double) query[queryOffset + i] - rows.get(FLOATS, row + 4L * i);
            sum += difference * difference;
        }
        return sum;
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
        out[outOffset] = dot(query, queryOffset, rows, row0, length);
        out[outOffset + 1] = dot(query, queryOffset, rows, row1, length);
        out[outOffset + 2] = dot(query, queryOffset, rows, row2, length);
        out[outOffset + 3] = dot(query, queryOffset, rows, row3, length);
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
        out[outOffset] = codeDot(query, rows, row0, 0, length);
        out[outOffset + 1] = codeDot(query, rows, row1, 0, length);
        out[outOffset + 2] = codeDot(query, rows, row2, 0, length);
        out[outOffset + 3] = codeDot(query, rows, row3, 0, length);
    }

    static int codeDot(short[] query, MemorySegment rows, long row, int from, int length) {
        int sum = 0;
        for (int i = from; i < length; i++) {
            sum += query[i] * rows.get(ValueLayout.JAVA_BYTE, row + i);
        }
        return sum;
    }
}
