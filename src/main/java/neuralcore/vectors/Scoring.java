package neuralcore.vectors;

import neuralcore.vectors.simd.KernelWarmUp;
import neuralcore.vectors.simd.Kernels;

/**
 * From the kernels' sums to nearness by a metric: a value that grows with nearness (the negative of
 * a distance). Sums that have left the range of float are found here and made again exactly.
 *
 * <p>Immutable, thread-safe.
 */
public final class Scoring {
    /** Norms within these bounds keep every sum in range, with all its digits. */
    private static final float SMALLEST_NORM = 1e-15f;

    private static final float LARGEST_NORM = 1e15f;

    /** Squares below this may have lost digits to underflow. */
    private static final float SMALLEST_SQUARE = 1e-24f;

    private final Kernels kernels;
    private final Metric metric;
    private final int dimension;

    public Scoring(Kernels kernels, Metric metric, int dimension) {
        this.kernels = kernels;
        this.metric = metric;
        this.dimension = dimension;
    }

    /**
     * The same for a scan: with plain loops as long as the kernels are to be run in, unless the
     * queries are so many that they are compared by a matrix product.
     */
    Scoring forScan(int queries, int rows) {
        Kernels scanning =
                queries < Scan.PRODUCT_NEEDLES
                        ? KernelWarmUp.forScan(kernels, (long) queries * rows * dimension)
                        : kernels;
        return scanning == kernels ? this : new Scoring(scanning, metric, dimension);
    }

    public Kernels kernels() {
        return kernels;
    }

    public Metric metric() {
        return metric;
    }

    public int dimension() {
        return dimension;
    }

    /**
     * What a row's products are multiplied with to make a cosine: 0 for a zero vector, and NaN
     * where the norm is so large or small that only {@link Kernels#cosine} gets it right.
     */
    public float inverseNorm(float[] rows, int offset) {
        return inverseOf(kernels.norm(rows, offset, dimension));
    }

    /** {@link #inverseNorm(float[], int)} from the sum of a row's squares. */
    static float inverseNorm(double squared) {
        return inverseOf((float) Math.sqrt(squared));
    }

    private static float inverseOf(float norm) {
        if (norm == 0f) {
            return 0f;
        }
        return norm >= SMALLEST_NORM && norm <= LARGEST_NORM ? 1f / norm : Float.NaN;
    }

    /**
     * Rows of the same direction and length 1; zero vectors stay as they are. A row whose norm is
     * hardly a float, or none, is first brought nearer by a power of two.
     */
    public float[] unitRows(float[] rows) {
        float[] unit = new float[rows.length];
        for (int offset = 0; offset < rows.length; offset += dimension) {
            unitRow(rows, offset, unit, offset);
        }
        return unit;
    }

    /** {@link #unitRows} of one row. */
    public void unitRow(float[] source, int offset, float[] target, int targetOffset) {
        kernels.normalize(source, offset, target, targetOffset, dimension);
    }

    /**
     * Nearness of one pair from its sum.
     *
     * @param sum Σ aᵢ·bᵢ of a unit row with a row for {@link Metric#COSINE}, Σ aᵢ·bᵢ or Σ (aᵢ −
     *     bᵢ)² for the others
     * @param inverseNorm of {@code b}, see {@link #inverseNorm}; 1 where the metric is not cosine
     */
    public float nearness(
            float sum, float inverseNorm, float[] a, int aOffset, float[] b, int bOffset) {
        return switch (metric) {
            case COSINE -> {
                float cosine = sum * inverseNorm;
                if (Float.isNaN(cosine)) {
                    yield kernels.cosine(a, aOffset, b, bOffset, dimension);
                }
                yield Math.max(-1f, Math.min(1f, cosine));
            }
            case DOT_PRODUCT ->
                    Math.abs(sum) <= Float.MAX_VALUE
                            ? sum
                            : kernels.dot(a, aOffset, b, bOffset, dimension);
            case SQUARED_EUCLIDEAN ->
                    sum <= Float.MAX_VALUE
                            ? -sum
                            : -kernels.squaredEuclidean(a, aOffset, b, bOffset, dimension);
            case EUCLIDEAN ->
                    sum >= SMALLEST_SQUARE && sum <= Float.MAX_VALUE
                            ? -(float) Math.sqrt(sum)
                            : -kernels.euclidean(a, aOffset, b, bOffset, dimension);
        };
    }
}
