package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Kernels on codes, on float16 and on segments, and normalizing, against plain sums. */
@ParameterizedClass
@MethodSource("kinds")
class StorageKernelsTest {
    private static final int LARGEST = 4_096;
    private static final ValueLayout.OfFloat FLOATS =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Kernels kernels;

    StorageKernelsTest(Kernels kernels) {
        this.kernels = kernels;
    }

    static List<Kernels> kinds() {
        return TestKernels.all();
    }

    /** Every dimension up to 600, and some beyond. */
    private static int[] dimensions() {
        return IntStream.concat(
                        IntStream.rangeClosed(1, 600),
                        IntStream.of(767, 768, 769, 1_024, 1_536, 3_072, 4_095, LARGEST))
                .toArray();
    }

    private static float[] gaussian(Random random, int length) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    @Test
    void codesAreRoundedMultiplesOfTheStep() {
        Random random = new Random(1);
        for (float scale : new float[] {1e-45f, 1e-40f, 1e-20f, 1f, 1e20f, 3e38f}) {
            float[] row = new float[100];
            for (int i = 0; i < row.length; i++) {
                row[i] = (random.nextFloat() * 2 - 1) * scale;
            }
            row[17] = scale;
            byte[] codes = new byte[103];
            float step = kernels.codes().encode(row, 0, codes, 3, 100);
            assertThat(codes[20]).isEqualTo((byte) CodeKernels.LARGEST);
            for (int i = 0; i < 100; i++) {
                double unit = scale / (double) CodeKernels.LARGEST;
                assertThat(codes[3 + i] * unit)
                        .isCloseTo(row[i], within(0.5001 * unit + Float.MIN_VALUE));
            }
            assertThat((double) step)
                    .isCloseTo(scale / 96.0, within(scale * 1e-6 + Float.MIN_VALUE));
        }
        byte[] zeros = {1, 1, 1};
        assertThat(kernels.codes().encode(new float[3], 0, zeros, 0, 3)).isZero();
        assertThat(zeros).containsOnly(0);
    }

    @Test
    void productsOfCodesAreExactInEveryDimension() {
        Random random = new Random(2);
        byte[] rows = new byte[4 * LARGEST + 9];
        for (int i = 0; i < rows.length; i++) {
            // The largest codes more often than others: they are what could overflow.
            int code = random.nextInt(-CodeKernels.LARGEST, CodeKernels.LARGEST + 1);
            rows[i] = (byte) (random.nextBoolean() ? code : Integer.signum(code) * 96);
        }
        short[] prepared = new short[CodeKernels.preparedLength(LARGEST)];
        float[] out = new float[6];
        for (int n : dimensions()) {
            float[] query = gaussian(random, n);
            kernels.codes().prepare(query, 0, prepared, n);
            int[] at = {9 + 3 * n, 9, 9 + 2 * n, 9 + n};
            kernels.codes()
                    .dot4(prepared, rows, at[0], rows, at[1], rows, at[2], rows, at[3], n, out, 2);
            for (int row = 0; row < 4; row++) {
                long product = 0;
                for (int i = 0; i < n; i++) {
                    product += prepared[i] * rows[at[row] + i];
                }
                assertThat(out[2 + row]).as("dimension %d", n).isEqualTo((float) product);
            }
            float[] inLine = new float[4];
            kernels.codes().dotRows(prepared, rows, 9, 4, n, inLine);
            assertThat(inLine)
                    .as("dimension %d", n)
                    .containsExactly(out[3], out[5], out[4], out[2]);
            long pair = 0;
            for (int i = 0; i < n; i++) {
                pair += rows[at[0] + i] * rows[at[1] + i];
            }
            assertThat(kernels.codes().dot(rows, at[0], rows, at[1], n)).isEqualTo((int) pair);
        }
    }

    /** Rows that add up as fast as rows can, for queries of any shape. */
    @ParameterizedTest
    @ValueSource(strings = {"constant", "one", "alternating", "gaussian", "huge", "tiny"})
    void noQueryOverflowsSixteenBits(String shape) {
        Random random = new Random(3);
        for (int n : new int[] {1, 31, 32, 33, 383, 384, 385, 768, 1_536, 4_096}) {
            float[] query = gaussian(random, n);
            for (int i = 0; i < n; i++) {
                query[i] =
                        switch (shape) {
                            case "constant" -> 1f;
                            case "one" -> i == n / 2 ? 1f : 0f;
                            case "alternating" -> i % 2 == 0 ? 1f : -1f;
                            case "huge" -> query[i] * 1e37f;
                            case "tiny" -> query[i] * 1e-42f;
                            default -> query[i];
                        };
            }
            short[] prepared = new short[CodeKernels.preparedLength(n)];
            float step = kernels.codes().prepare(query, 0, prepared, n);
            byte[] row = new byte[n];
            long product = 0;
            double exact = 0;
            for (int i = 0; i < n; i++) {
                row[i] = (byte) (query[i] < 0 ? -96 : 96);
                product += prepared[i] * row[i];
                exact += (double) query[i] * row[i];
            }
            float[] out = new float[4];
            kernels.codes().dot4(prepared, row, 0, row, 0, row, 0, row, 0, n, out, 0);
            assertThat(out).as("%s, dimension %d", shape, n).containsOnly((float) product);
            kernels.codes().dotRows(prepared, row, 0, 1, n, out);
            assertThat(out[0]).as("%s, dimension %d", shape, n).isEqualTo((float) product);
            assertThat((double) out[0] * step).isCloseTo(exact, within(0.02 * exact + 1e-37));
        }
    }

    @Test
    void halvesAreCloseInEveryDimension() {
        Random random = new Random(4);
        float[] query = gaussian(random, LARGEST + 1);
        short[] row = new short[LARGEST + 3];
        kernels.halves().encode(gaussian(random, LARGEST), 0, row, 3, LARGEST);
        float[] decoded = new float[LARGEST];
        kernels.halves().decode(row, 3, decoded, 0, LARGEST);
        for (int n : dimensions()) {
            double dot = Exact.dot(query, 1, decoded, 0, n);
            double scale = 0;
            for (int i = 0; i < n; i++) {
                scale += Math.abs((double) query[1 + i] * decoded[i]);
            }
            assertThat((double) kernels.halves().dot(query, 1, row, 3, n))
                    .as("dimension %d", n)
                    .isCloseTo(dot, within(1e-6 * scale));
            double squared = Exact.squaredEuclidean(query, 1, decoded, 0, n);
            assertThat((double) kernels.halves().squaredEuclidean(query, 1, row, 3, n))
                    .isCloseTo(squared, within(1e-6 * squared));
        }
    }

    @Test
    void everyHalfIsReadAsItIs() {
        float[] one = new float[64];
        short[] row = new short[64];
        for (int half = 0; half < 1 << 16; half++) {
            float value = Float.float16ToFloat((short) half);
            if (Float.isFinite(value)) {
                int at = half % 64;
                one[at] = 1f;
                row[at] = (short) half;
                assertThat(kernels.halves().dot(one, 0, row, 0, 64)).isEqualTo(value);
                one[at] = 0f;
                row[at] = 0;
            }
        }
        short[] stored = new short[3];
        kernels.halves().encode(new float[] {1e6f, -3e38f, 1e-12f}, 0, stored, 0, 3);
        float[] back = new float[3];
        kernels.halves().decode(stored, 0, back, 0, 3);
        assertThat(back).containsExactly(65_504f, -65_504f, 0f);
    }

    @Test
    void segmentsAreAsGoodAsArrays() {
        Random random = new Random(5);
        float[] query = gaussian(random, LARGEST + 1);
        float[] rows = gaussian(random, 4 * LARGEST + 1);
        byte[] codes = new byte[4 * LARGEST + 1];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) random.nextInt(-96, 97);
        }
        short[] prepared = new short[CodeKernels.preparedLength(LARGEST)];
        float[] expected = new float[4];
        float[] out = new float[5];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(4L * rows.length + 1, 64).asSlice(1);
            MemorySegment.copy(rows, 0, segment, FLOATS, 0, rows.length);
            MemorySegment bytes = arena.allocate(codes.length, 64);
            MemorySegment.copy(codes, 0, bytes, ValueLayout.JAVA_BYTE, 0, codes.length);
            SegmentKernels segments = kernels.segments();
            for (int n : dimensions()) {
                int b = 1 + n;
                int c = 1 + 2 * n;
                int d = 1 + 3 * n;
                segments.dot4(query, 1, segment, 4L, 4L * b, 4L * c, 4L * d, n, out, 1);
                kernels.dot4(query, 1, rows, 1, b, c, d, n, expected, 0);
                for (int i = 0; i < 4; i++) {
                    assertThat(out[1 + i]).isCloseTo(expected[i], within(1e-3f));
                }
                assertThat(segments.dot(query, 1, segment, 4L * b, n))
                        .isCloseTo(kernels.dot(query, 1, rows, b, n), within(1e-3f));
                float squared = kernels.squaredEuclidean(query, 1, rows, b, n);
                assertThat(segments.squaredEuclidean(query, 1, segment, 4L * b, n))
                        .isCloseTo(squared, within(1e-6f * squared));
                kernels.codes().prepare(query, 0, prepared, n);
                segments.codeDot4(prepared, bytes, 1, b, c, d, n, out, 1);
                kernels.codes()
                        .dot4(prepared, codes, 1, codes, b, codes, c, codes, d, n, expected, 0);
                for (int i = 0; i < 4; i++) {
                    assertThat(out[1 + i]).isEqualTo(expected[i]);
                }
            }
        }
    }

    @Test
    void fourArraysAreAsGoodAsOne() {
        Random random = new Random(6);
        float[] query = gaussian(random, LARGEST);
        float[] rows = gaussian(random, 4 * LARGEST);
        float[] expected = new float[4];
        float[] out = new float[4];
        for (int n : dimensions()) {
            int c = 2 * n;
            int d = 3 * n;
            kernels.dot4(query, 0, rows, 0, n, c, d, n, expected, 0);
            kernels.dot4(query, 0, rows, 0, rows, n, rows, c, rows, d, n, out, 0);
            for (int i = 0; i < 4; i++) {
                assertThat(out[i]).isCloseTo(expected[i], within(1e-3f));
            }
            kernels.squaredEuclidean4(query, 0, rows, 0, n, c, d, n, expected, 0);
            kernels.squaredEuclidean4(query, 0, rows, 0, rows, n, rows, c, rows, d, n, out, 0);
            for (int i = 0; i < 4; i++) {
                assertThat(out[i]).isCloseTo(expected[i], within(1e-6f * expected[i]));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {1e-45f, 1e-40f, 1e-30f, 1e-10f, 1f, 1e10f, 1e20f, 3e38f})
    void normalizedVectorsHaveLengthOne(float scale) {
        for (int n : new int[] {1, 2, 15, 16, 17, 384, 4_096}) {
            float[] vector = new float[n];
            for (int i = 0; i < n; i++) {
                vector[i] = i % 2 == 0 ? scale : -scale;
            }
            float[] copy = new float[n + 2];
            float norm = kernels.normalize(vector, 0, copy, 2, n);
            double exact = Math.sqrt(Exact.dot(vector, 0, vector, 0, n));
            if (exact > Float.MAX_VALUE) {
                assertThat(norm).isInfinite();
            } else {
                assertThat((double) norm).isCloseTo(exact, within(exact * 1e-6 + Float.MIN_VALUE));
            }
            for (int i = 0; i < n; i++) {
                double expected = vector[i] / exact;
                assertThat((double) copy[2 + i])
                        .isCloseTo(expected, within(Math.abs(expected) * 1e-6));
            }
            kernels.normalize(vector, 0, vector, 0, n);
            assertThat(vector).containsExactly(java.util.Arrays.copyOfRange(copy, 2, n + 2));
        }
    }

    @Test
    void aBatchIsNormalizedRowByRowAndZerosStay() {
        float[] rows = {3, 4, 0, 0, -5, 12};
        float[] norms = new float[3];
        kernels.normalizeRows(rows, 0, rows, 0, 3, 2, norms);
        assertThat(norms).containsExactly(5, 0, 13);
        float[] expected = {0.6f, 0.8f, 0, 0, -5 / 13f, 12 / 13f};
        for (int i = 0; i < rows.length; i++) {
            assertThat(rows[i]).isCloseTo(expected[i], within(1e-6f));
        }
    }
}
