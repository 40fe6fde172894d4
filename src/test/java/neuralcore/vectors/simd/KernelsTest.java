package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each kind of kernels against sums in double precision. */
@ParameterizedClass
@MethodSource("kinds")
class KernelsTest {
    private static final double TOLERANCE = 1e-6;
    private static final int LARGEST = 4_096;

    private final Kernels kernels;

    KernelsTest(Kernels kernels) {
        this.kernels = kernels;
    }

    static List<Kernels> kinds() {
        return TestKernels.all();
    }

    /** What vectors may look like. */
    enum Shape {
        GAUSSIAN,
        POSITIVE,
        CONSTANT,
        SPARSE,
        WIDE_RANGE;

        float[] make(Random random, int length) {
            float[] values = new float[length];
            float constant = random.nextFloat();
            for (int i = 0; i < length; i++) {
                values[i] =
                        switch (this) {
                            case GAUSSIAN -> (float) random.nextGaussian();
                            case POSITIVE -> random.nextFloat();
                            case CONSTANT -> constant;
                            case SPARSE -> random.nextInt(10) == 0 ? random.nextFloat() : 0f;
                            case WIDE_RANGE ->
                                    (float)
                                            (random.nextGaussian()
                                                    * Math.pow(10, random.nextInt(20) - 10));
                        };
            }
            return values;
        }
    }

    @Test
    void resultsOfProductsBecomeCosines() {
        Random random = new Random(17);
        for (int n = 0; n < 70; n++) {
            float[] values = Shape.GAUSSIAN.make(random, n + 5);
            float[] expected = values.clone();
            for (int i = 3; i < n + 3; i++) {
                expected[i] = Math.max(-1f, Math.min(1f, expected[i] * 0.9f));
            }
            kernels.scaleToCosines(values, 3, n, 0.9f);
            assertThat(values).containsExactly(expected);
        }
    }

    @Test
    void oneValueThatReachesItsLimitIsSeenWhereverItStands() {
        for (int n = 1; n < 70; n++) {
            float[] values = new float[n + 5];
            float[] limits = new float[n + 7];
            Arrays.fill(limits, 1f);
            // Outside the range, where nobody is to look.
            Arrays.fill(values, 0, 3, 2f);
            Arrays.fill(values, n + 3, n + 5, 2f);
            assertThat(kernels.anyAtLeast(values, 3, limits, 5, n)).isFalse();
            for (int i = 0; i < n; i++) {
                values[3 + i] = 1f;
                assertThat(kernels.anyAtLeast(values, 3, limits, 5, n)).isTrue();
                values[3 + i] = Math.nextDown(1f);
            }
            limits[5] = Float.NEGATIVE_INFINITY;
            assertThat(kernels.anyAtLeast(values, 3, limits, 5, n)).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void sumsAreCloseInEveryDimension(Shape shape) {
        Random random = new Random(1);
        // At an odd place in the arrays, so that offsets matter.
        float[] a = shape.make(random, LARGEST + 3);
        float[] b = shape.make(random, LARGEST + 5);
        for (int n = 0; n <= LARGEST; n++) {
            double dot = 0;
            double dotScale = 0;
            double squares = 0;
            double aSquared = 0;
            double bSquared = 0;
            for (int i = 0; i < n; i++) {
                double x = a[3 + i];
                double y = b[5 + i];
                dot += x * y;
                dotScale += Math.abs(x * y);
                squares += (x - y) * (x - y);
                aSquared += x * x;
                bSquared += y * y;
            }
            assertThat((double) kernels.dot(a, 3, b, 5, n))
                    .as("dot, dimension %d", n)
                    .isCloseTo(dot, within(TOLERANCE * dotScale));
            assertThat((double) kernels.squaredEuclidean(a, 3, b, 5, n))
                    .as("squared euclidean, dimension %d", n)
                    .isCloseTo(squares, within(TOLERANCE * squares));
            assertThat((double) kernels.norm(a, 3, n))
                    .as("norm, dimension %d", n)
                    .isCloseTo(Math.sqrt(aSquared), within(TOLERANCE * Math.sqrt(aSquared)));
            double norms = Math.sqrt(aSquared * bSquared);
            assertThat((double) kernels.cosine(a, 3, b, 5, n))
                    .as("cosine, dimension %d", n)
                    .isCloseTo(norms == 0 ? 0 : dot / norms, within(2 * TOLERANCE));
        }
    }

    @ParameterizedTest
    @EnumSource
    void fourRowsAtATimeAreCloseInEveryDimension(Shape shape) {
        Random random = new Random(2);
        float[] query = shape.make(random, LARGEST + 1);
        float[] rows = shape.make(random, 4 * LARGEST + 7);
        float[] out = new float[6];
        for (int n = 1; n <= LARGEST; n++) {
            int[] at = {7 + 3 * n, 7, 7 + 2 * n, 7 + n};
            kernels.dot4(query, 1, rows, at[0], at[1], at[2], at[3], n, out, 2);
            for (int row = 0; row < 4; row++) {
                double scale = 0;
                for (int i = 0; i < n; i++) {
                    scale += Math.abs((double) query[1 + i] * rows[at[row] + i]);
                }
                assertThat((double) out[2 + row])
                        .as("dot4 %d, dimension %d", row, n)
                        .isCloseTo(
                                Exact.dot(query, 1, rows, at[row], n), within(TOLERANCE * scale));
            }
            kernels.squaredEuclidean4(query, 1, rows, at[0], at[1], at[2], at[3], n, out, 2);
            for (int row = 0; row < 4; row++) {
                double exact = Exact.squaredEuclidean(query, 1, rows, at[row], n);
                assertThat((double) out[2 + row])
                        .as("squaredEuclidean4 %d, dimension %d", row, n)
                        .isCloseTo(exact, within(TOLERANCE * exact));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 12, 13})
    void rowsOfAnyNumberAreAllComputedAndEqualOnesAlike(int count) {
        int n = 37;
        float[] query = Shape.GAUSSIAN.make(new Random(3), n);
        float[] row = Shape.GAUSSIAN.make(new Random(4), n);
        float[] rows = new float[2 + count * n];
        for (int i = 0; i < count; i++) {
            System.arraycopy(row, 0, rows, 2 + i * n, n);
        }
        float[] out = new float[(count + 3) / 4 * 4];
        kernels.dotRows(query, 0, rows, 2, count, n, out);
        assertThat(Arrays.copyOf(out, count)).containsOnly(out[0]);
        assertThat((double) out[0]).isCloseTo(Exact.dot(query, 0, row, 0, n), within(1e-4));
        kernels.squaredEuclideanRows(query, 0, rows, 2, count, n, out);
        assertThat(Arrays.copyOf(out, count)).containsOnly(out[0]);
        assertThat((double) out[0])
                .isCloseTo(Exact.squaredEuclidean(query, 0, row, 0, n), within(1e-4));
    }

    @ParameterizedTest
    @EnumSource
    void productIsCloseInManySizes(Shape shape) {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int round = 0; round < 60; round++) {
            int m = 1 + random.nextInt(20);
            int k = 1 + random.nextInt(70);
            int n = round == 0 ? LARGEST : 1 + random.nextInt(600);
            float[] a = shape.make(random, 5 + m * n);
            float[] b = shape.make(random, 3 + k * n);
            PackedRows packed = kernels.pack(b, 3, k, n);
            float[] out = new float[m * packed.stride()];
            Arrays.fill(out, Float.NaN);
            kernels.product(a, 5, m, packed, out);
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < k; j++) {
                    double scale = 0;
                    for (int e = 0; e < n; e++) {
                        scale += Math.abs((double) a[5 + i * n + e] * b[3 + j * n + e]);
                    }
                    assertThat((double) out[i * packed.stride() + j])
                            .as("seed %d: %d × %d × %d at %d, %d", seed, m, k, n, i, j)
                            .isCloseTo(
                                    Exact.dot(a, 5 + i * n, b, 3 + j * n, n),
                                    within(TOLERANCE * scale));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {1e-45f, 1e-42f, 1e-38f, 1e-25f, 1e-20f, 1f, 1e6f, 1e19f, 1e30f, 3e38f})
    void extremeValuesStayExact(float scale) {
        int n = 100;
        float[] a = new float[n];
        float[] b = new float[n];
        for (int i = 0; i < n; i++) {
            a[i] = i % 3 == 0 ? -scale : scale;
            b[i] = i % 2 == 0 ? scale : -scale;
        }
        assertThat(kernels.cosine(a, 0, a, 0, n)).isCloseTo(1f, within(1e-5f));
        double expected = Exact.cosine(a, 0, b, 0, n);
        assertThat((double) kernels.cosine(a, 0, b, 0, n)).isCloseTo(expected, within(1e-5));
        float norm = kernels.norm(a, 0, n);
        float trueNorm = (float) Math.sqrt(Exact.dot(a, 0, a, 0, n));
        assertThat(norm == trueNorm || Math.abs(norm - trueNorm) < 1e-6 * trueNorm)
                .as("norm %s of %s", norm, trueNorm)
                .isTrue();
        float distance = kernels.euclidean(a, 0, b, 0, n);
        float trueDistance = (float) Math.sqrt(Exact.squaredEuclidean(a, 0, b, 0, n));
        assertThat(distance == trueDistance || Math.abs(distance - trueDistance) < 1e-6 * distance)
                .as("distance %s of %s", distance, trueDistance)
                .isTrue();
        assertThat(kernels.dot(a, 0, b, 0, n)).isNotNaN();
        assertThat(kernels.squaredEuclidean(a, 0, b, 0, n)).isNotNaN();
    }

    @Test
    void sumsThatCancelBeyondTheRangeOfFloatAreExact() {
        float[] a = new float[200];
        float[] b = new float[200];
        Arrays.fill(a, 1e30f);
        for (int i = 0; i < b.length; i++) {
            b[i] = i % 2 == 0 ? 1e30f : -1e30f;
        }
        assertThat(kernels.dot(a, 0, b, 0, 200)).isZero();
    }

    @Test
    void zeroVectorsAreLikeNothing() {
        float[] zero = new float[70];
        float[] other = Shape.GAUSSIAN.make(new Random(5), 70);
        assertThat(kernels.cosine(zero, 0, other, 0, 70)).isZero();
        assertThat(kernels.cosine(other, 0, zero, 0, 70)).isZero();
        assertThat(kernels.cosine(zero, 0, zero, 0, 70)).isZero();
        assertThat(kernels.dot(zero, 0, other, 0, 70)).isZero();
        assertThat(kernels.norm(zero, 0, 70)).isZero();
        assertThat(kernels.euclidean(other, 0, other, 0, 70)).isZero();
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void whatIsNotFiniteIsFoundAnywhere(float bad) {
        for (int n = 1; n < 200; n++) {
            float[] values = new float[n + 2];
            Arrays.fill(values, Float.MAX_VALUE);
            values[0] = bad;
            values[n + 1] = bad;
            assertThat(kernels.allFinite(values, 1, n)).isTrue();
            for (int at = 1; at <= n; at++) {
                values[at] = bad;
                assertThat(kernels.allFinite(values, 1, n)).as("%d of %d", at, n).isFalse();
                values[at] = -0f;
            }
        }
        assertThat(kernels.allFinite(new float[0], 0, 0)).isTrue();
    }
}
