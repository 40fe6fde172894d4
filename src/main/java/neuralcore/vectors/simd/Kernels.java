package neuralcore.vectors.simd;

/**
 * The inner loops of vector search, over rows of {@code float[]}.
 *
 * <p>A row is {@code length} consecutive elements from an offset. Elements must be finite ({@link
 * #allFinite}); then no result is NaN: sums that leave the range of float on the way are computed
 * again in double, and a result whose true value is outside that range is infinite. For every
 * dimension up to 4,096 a sum is within 10⁻⁶ of the sum of its terms' absolute values.
 *
 * <p>Implementations are stateless and thread-safe, and allocate nothing per call but in {@link
 * #pack} and, less than a kilobyte, in {@link #product}. They check no more than the array bounds;
 * callers check that lengths agree.
 */
public interface Kernels {

    /** For people: {@code panama-512} or {@code scalar}. */
    String name();

    /** Width of the vectors in bits; 32 means one float at a time. */
    int vectorBits();

    /** Σ aᵢ·bᵢ */
    float dot(float[] a, int aOffset, float[] b, int bOffset, int length);

    /** Σ (aᵢ − bᵢ)² */
    float squaredEuclidean(float[] a, int aOffset, float[] b, int bOffset, int length);

    /** The cosine of the angle, within [−1, 1]; 0 where a vector is zero. */
    float cosine(float[] a, int aOffset, float[] b, int bOffset, int length);

    /** Whether no element is NaN or infinite. */
    boolean allFinite(float[] a, int offset, int length);

    /**
     * {@link #dot} of one query with four rows of one array, sharing each load of the query. Sums
     * that leave the range of float are left infinite or NaN, for the caller to compute again.
     *
     * @param out takes the four results at {@code outOffset}
     */
    void dot4(
            float[] query,
            int queryOffset,
            float[] rows,
            int row0,
            int row1,
            int row2,
            int row3,
            int length,
            float[] out,
            int outOffset);

    /** {@link #squaredEuclidean} of one query with four rows; see {@link #dot4}. */
    void squaredEuclidean4(
            float[] query,
            int queryOffset,
            float[] rows,
            int row0,
            int row1,
            int row2,
            int row3,
            int length,
            float[] out,
            int outOffset);

    /**
     * {@link #dot4} with rows that stand in four arrays, as rows of a chunked store do.
     *
     * @param out takes the four results at {@code outOffset}
     */
    void dot4(
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
            int outOffset);

    /** {@link #squaredEuclidean4} with rows that stand in four arrays. */
    void squaredEuclidean4(
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
            int outOffset);

    /** Products of int8 codes. */
    CodeKernels codes();

    /** Rows of float16. */
    HalfKernels halves();

    /** Rows outside the heap. */
    SegmentKernels segments();

    /**
     * A vector of the same direction and length 1; zeros stay zeros. Done in place where source and
     * target are the same.
     *
     * @return the norm it had; infinite where that is no float, though the target is right
     */
    default float normalize(
            float[] source, int offset, float[] target, int targetOffset, int length) {
        float norm = norm(source, offset, length);
        if (norm == 0f) {
            System.arraycopy(source, offset, target, targetOffset, length);
            return norm;
        }
        // Twice where one factor is no float: what is hardly one is first brought near 1.
        float scale = norm > LARGEST_NORM ? 0x1p-64f : norm < SMALLEST_NORM ? 0x1p64f : 1f;
        float factor =
                scale == 1f ? 1f / norm : (float) (1 / scaledNorm(source, offset, length, scale));
        for (int i = 0; i < length; i++) {
            target[targetOffset + i] = source[offset + i] * scale * factor;
        }
        return norm;
    }

    /** Norms within these bounds have an inverse with all its digits. */
    float SMALLEST_NORM = 1e-15f;

    float LARGEST_NORM = 1e15f;

    private static double scaledNorm(float[] source, int offset, int length, float scale) {
        return Math.sqrt(Exact.dot(source, offset, source, offset, length)) * scale;
    }

    /**
     * {@link #normalize} of consecutive rows.
     *
     * @param norms takes the norms they had
     */
    default void normalizeRows(
            float[] source,
            int offset,
            float[] target,
            int targetOffset,
            int count,
            int length,
            float[] norms) {
        for (int i = 0; i < count; i++) {
            norms[i] =
                    normalize(
                            source, offset + i * length, target, targetOffset + i * length, length);
        }
    }

    /** A copy of these rows in the order that {@link #product} reads them in. */
    PackedRows pack(float[] rows, int offset, int count, int length);

    /**
     * The products of every row with every packed row: {@code out[i * packed.stride() + j]} is row
     * i times packed row j. As in {@link #dot4}, sums that leave the range of float stay so.
     *
     * @param count number of rows, consecutive from {@code offset}
     * @param out room for {@code count * packed.stride()}; columns from {@code packed.count()} on
     *     are zero
     */
    void product(float[] rows, int offset, int count, PackedRows packed, float[] out);

    /** Multiplies values and takes what rounding has led out of [−1, 1] back to its ends. */
    default void scaleToCosines(float[] values, int offset, int count, float factor) {
        for (int i = offset; i < offset + count; i++) {
            values[i] = Math.max(-1f, Math.min(1f, values[i] * factor));
        }
    }

    /** Whether a value is at least the limit that stands at its place. */
    default boolean anyAtLeast(
            float[] values, int offset, float[] limits, int limitsOffset, int count) {
        for (int i = 0; i < count; i++) {
            if (values[offset + i] >= limits[limitsOffset + i]) {
                return true;
            }
        }
        return false;
    }

    /** √Σ (aᵢ − bᵢ)², also where the squares leave the range of float. */
    default float euclidean(float[] a, int aOffset, float[] b, int bOffset, int length) {
        float squared = squaredEuclidean(a, aOffset, b, bOffset, length);
        return Exact.isSafeSquare(squared)
                ? (float) Math.sqrt(squared)
                : (float) Math.sqrt(Exact.squaredEuclidean(a, aOffset, b, bOffset, length));
    }

    /** √Σ aᵢ², also where the squares leave the range of float. */
    default float norm(float[] a, int offset, int length) {
        float squared = dot(a, offset, a, offset, length);
        return Exact.isSafeSquare(squared)
                ? (float) Math.sqrt(squared)
                : (float) Math.sqrt(Exact.dot(a, offset, a, offset, length));
    }

    /**
     * {@link #dot} of one query with consecutive rows, one after the other: what is in no cache is
     * read half as fast again in one line as four rows at a time.
     *
     * @param out takes the results from index 0
     */
    default void dotRows(
            float[] query,
            int queryOffset,
            float[] rows,
            int offset,
            int count,
            int length,
            float[] out) {
        for (int i = 0; i < count; i++) {
            out[i] = dot(query, queryOffset, rows, offset + i * length, length);
        }
    }

    /** {@link #squaredEuclidean} of one query with consecutive rows; see {@link #dotRows}. */
    default void squaredEuclideanRows(
            float[] query,
            int queryOffset,
            float[] rows,
            int offset,
            int count,
            int length,
            float[] out) {
        for (int i = 0; i < count; i++) {
            out[i] = squaredEuclidean(query, queryOffset, rows, offset + i * length, length);
        }
    }
}
