package neuralcore.vectors.simd;

/** Kernels on float16 in plain Java. */
final class ScalarHalves implements HalfKernels {

    @Override
    public float dot(float[] query, int queryOffset, short[] row, int offset, int length) {
        return (float) exactDot(query, queryOffset, row, offset, length);
    }

    static double exactDot(float[] query, int queryOffset, short[] row, int offset, int length) {
        double sum = 0;
        for (int i = 0; i < length; i++) {
            sum += (double) query[queryOffset + i] * Float.float16ToFloat(row[offset + i]);
        }
        return sum;
    }

    @Override
    public float squaredEuclidean(
            float[] query, int queryOffset, short[] row, int offset, int length) {
        return (float) exactSquared(query, queryOffset, row, offset, length);
    }

    static double exactSquared(
            float[] query, int queryOffset, short[] row, int offset, int length) {
        double sum = 0;
        for (int i = 0; i < length; i++) {
            double difference =
                    (double) query[queryOffset + i] - Float.float16ToFloat(row[offset + i]);
            sum += difference * difference;
        }
        return sum;
    }
}
