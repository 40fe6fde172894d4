package neuralcore.vectors.simd;

/**
 * Kernels in plain Java, for a JVM without the Vector API: every sum in double precision, so that
 * results are at least as close as those of {@link PanamaKernels}. About ten times slower.
 */
final class ScalarKernels implements Kernels {
    private final CodeKernels codes = new ScalarCodes();
    private final HalfKernels halves = new ScalarHalves();
    private final SegmentKernels segments = new ScalarSegments();

    @Override
    public String name() {
        return "scalar";
    }

    @Override
    public int vectorBits() {
        return Float.SIZE;
    }

    @Override
    public float dot(float[] a, int aOffset, float[] b, int bOffset, int length) {
        return (float) Exact.dot(a, aOffset, b, bOffset, length);
    }

    @Override
    public float squaredEuclidean(float[] a, int aOffset, float[] b, int bOffset, int length) {
        return (float) Exact.squaredEuclidean(a, aOffset, b, bOffset, length);
    }

    @Override
    public float cosine(float[] a, int aOffset, float[] b, int bOffset, int length) {
        return Exact.cosine(a, aOffset, b, bOffset, length);
    }

    @Override
    public boolean allFinite(float[] a, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            if (!Float.isFinite(a[i])) {
                return false;
            }
        }
        return true;
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
        double sum0 = 0;
        double sum1 = 0;
        double sum2 = 0;
        double sum3 = 0;
        for (int i = 0; i < length; i++) {
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
        out[outOffset] = squaredEuclidean(query, queryOffset, rows, row0, length);
        out[outOffset + 1] = squaredEuclidean(query, queryOffset, rows, row1, length);
        out[outOffset + 2] = squaredEuclidean(query, queryOffset, rows, row2, length);
        out[outOffset + 3] = squaredEuclidean(query, queryOffset, rows, row3, length);
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
        out[outOffset] = dot(query, queryOffset, rows0, row0, length);
        out[outOffset + 1] = dot(query, queryOffset, rows1, row1, length);
        out[outOffset + 2] = dot(query, queryOffset, rows2, row2, length);
        out[outOffset + 3] = dot(query, queryOffset, rows3, row3, length);
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
        out[outOffset] = squaredEuclidean(query, queryOffset, rows0, row0, length);
        out[outOffset + 1] = squaredEuclidean(query, queryOffset, rows1, row1, length);
        out[outOffset + 2] = squaredEuclidean(query, queryOffset, rows2, row2, length);
        out[outOffset + 3] = squaredEuclidean(query, queryOffset, rows3, row3, length);
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
    public PackedRows pack(float[] rows, int offset, int count, int length) {
        return PackedRows.of(rows, offset, count, 1, length);
    }

    @Override
    public void product(float[] rows, int offset, int count, PackedRows packed, float[] out) {
        int length = packed.length();
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < packed.count(); j++) {
                out[i * packed.stride() + j] =
                        dot(rows, offset + i * length, packed.data(), j * length, length);
            }
        }
    }
}
