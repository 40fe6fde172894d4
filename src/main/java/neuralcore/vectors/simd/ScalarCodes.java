package neuralcore.vectors.simd;

/** Products of codes in plain Java. */
final class ScalarCodes implements CodeKernels {

    @Override
    public float prepare(float[] query, int offset, short[] target, int length) {
        return CodeQueries.prepare(query, offset, target, length, 1);
    }

    @Override
    public void dot4(
            short[] query,
            byte[] rows0,
            int row0,
            byte[] rows1,
            int row1,
            byte[] rows2,
            int row2,
            byte[] rows3,
            int row3,
            int length,
            float[] out,
            int outOffset) {
        int sum0 = 0;
        int sum1 = 0;
        int sum2 = 0;
        int sum3 = 0;
        for (int i = 0; i < length; i++) {
            int q = query[i];
            sum0 += q * rows0[row0 + i];
            sum1 += q * rows1[row1 + i];
            sum2 += q * rows2[row2 + i];
            sum3 += q * rows3[row3 + i];
        }
        out[outOffset] = sum0;
        out[outOffset + 1] = sum1;
        out[outOffset + 2] = sum2;
        out[outOffset + 3] = sum3;
    }

    @Override
    public void dotRows(
            short[] query, byte[] rows, int offset, int count, int length, float[] out) {
        for (int i = 0; i < count; i++) {
            int row = offset + i * length;
            int sum = 0;
            for (int j = 0; j < length; j++) {
                sum += query[j] * rows[row + j];
            }
            out[i] = sum;
        }
    }

    @Override
    public int dot(byte[] a, int aOffset, byte[] b, int bOffset, int length) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            sum += a[aOffset + i] * b[bOffset + i];
        }
        return sum;
    }
}
