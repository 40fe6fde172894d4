package neuralcore.vectors.simd;

/**
 * Sums in double precision, one element at a time. A double holds the square of any float, and the
 * sum of as many as an array can have, without overflow or underflow; so these are what the float
 * loops fall back on when their sums leave float's range.
 */
final class Exact {
    /** Below this sum, squares may have been lost to underflow. */
    private static final float SMALLEST_SAFE_SQUARE = 1e-24f;

    private Exact() {}

    /** Whether a sum of squares made in float can be trusted. */
    static boolean isSafeSquare(float sum) {
        return sum >= SMALLEST_SAFE_SQUARE && sum <= Float.MAX_VALUE;
    }

    static double dot(float[] a, int aOffset, float[] b, int bOffset, int length) {
        double sum0 = 0;
        double sum1 = 0;
        double sum2 = 0;
        double sum3 = 0;
        int i = 0;
        for (; i < length - 3; i += 4) {
            sum0 += (double) a[aOffset + i] * b[bOffset + i];
            sum1 += (double) a[aOffset + i + 1] * b[bOffset + i + 1];
            sum2 += (double) a[aOffset + i + 2] * b[bOffset + i + 2];
            sum3 += (double) a[aOffset + i + 3] * b[bOffset + i + 3];
        }
        for (; i < length; i++) {
            sum0 += (double) a[aOffset + i] * b[bOffset + i];
        }
        return (sum0 + sum1) + (sum2 + sum3);
    }

    static double squaredEuclidean(float[] a, int aOffset, float[] b, int bOffset, int length) {
        double sum0 = 0;
        double sum1 = 0;
        int i = 0;
        for (; i < length - 1; i += 2) {
            double difference0 = (double) a[aOffset + i] - b[bOffset + i];
            double difference1 = (double) a[aOffset + i + 1] - b[bOffset + i + 1];
            sum0 += difference0 * difference0;
            sum1 += difference1 * difference1;
        }
        if (i < length) {
            double difference = (double) a[aOffset + i] - b[bOffset + i];
            sum0 += difference * difference;
        }
        return sum0 + sum1;
    }

    static float cosine(float[] a, int aOffset, float[] b, int bOffset, int length) {
        return cosine(
                dot(a, aOffset, b, bOffset, length),
                dot(a, aOffset, a, aOffset, length),
                dot(b, bOffset, b, bOffset, length));
    }

    /** The cosine from a product and the two squared norms. */
    static float cosine(double dot, double aSquared, double bSquared) {
        if (aSquared == 0 || bSquared == 0) {
            return 0f;
        }
        double cosine = dot / Math.sqrt(aSquared * bSquared);
        return (float) Math.max(-1.0, Math.min(1.0, cosine));
    }
}
