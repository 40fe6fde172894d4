package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import neuralcore.vectors.simd.Kernels;
import neuralcore.vectors.simd.TestKernels;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@ParameterizedClass
@MethodSource("kinds")
class SimilarityTest {
    private static final ExecutorService POOL = Executors.newFixedThreadPool(3);

    /** Queries, documents and dimension: each way through {@link Scan}, and what lies between. */
    private static final int[][] SIZES = {
        {1, 1, 1},
        {1, 1, 384},
        {1, 1_000, 384},
        {3, 700, 33},
        {700, 3, 33},
        {16, 16, 20},
        {20, 300, 48},
        {300, 20, 48},
        {257, 258, 5},
        {600, 520, 40}
    };

    private final Similarity similarity;

    SimilarityTest(Kernels kernels) {
        this.similarity = new Similarity(kernels, new Parallel(POOL, 3));
    }

    static List<Kernels> kinds() {
        return TestKernels.all();
    }

    @AfterAll
    static void close() {
        POOL.shutdownNow();
    }

    @ParameterizedTest
    @EnumSource
    void scoresOfAllSizesAreThoseOfTheDefinition(Metric metric) {
        Random random = new Random(6);
        for (int[] size : SIZES) {
            int d = size[2];
            float[] queries = Reference.gaussian(random, size[0] * d);
            float[] documents = Reference.gaussian(random, size[1] * d);
            Tensor scores = similarity.scores(metric, queries, documents, d);
            assertThat(scores.rows()).isEqualTo(size[0]);
            assertThat(scores.columns()).isEqualTo(size[1]);
            float[] values = scores.toFloatArray();
            for (int i = 0; i < size[0]; i++) {
                for (int j = 0; j < size[1]; j++) {
                    double expected = Reference.score(metric, queries, i * d, documents, j * d, d);
                    assertThat((double) values[i * size[1] + j])
                            .as("%s, %s × %s × %s at %s, %s", metric, size[0], size[1], d, i, j)
                            .isCloseTo(expected, within(1e-5 * Math.max(1, Math.abs(expected))));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void topKIsWhatSortingAllScoresGives(Metric metric) {
        Random random = new Random(7);
        for (int[] size : SIZES) {
            int d = size[2];
            float[] queries = Reference.gaussian(random, size[0] * d);
            float[] documents = Reference.gaussian(random, size[1] * d);
            int k = Math.min(size[1], 7);
            List<List<Neighbour>> found = similarity.topK(metric, queries, documents, d, 7);
            assertThat(found).hasSize(size[0]);
            for (int i = 0; i < size[0]; i++) {
                int query = i;
                double sign = metric.higherIsNearer() ? -1 : 1;
                List<Double> expected =
                        IntStream.range(0, size[1])
                                .mapToObj(
                                        j ->
                                                Reference.score(
                                                        metric, queries, query * d, documents,
                                                        j * d, d))
                                .sorted((x, y) -> Double.compare(sign * x, sign * y))
                                .limit(k)
                                .toList();
                assertThat(found.get(i)).hasSize(k);
                for (int rank = 0; rank < k; rank++) {
                    double score = expected.get(rank);
                    assertThat((double) found.get(i).get(rank).score())
                            .isCloseTo(score, within(1e-5 * Math.max(1, Math.abs(score))));
                }
                assertThat(found.get(i).stream().map(Neighbour::row)).doesNotHaveDuplicates();
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void equalDocumentsComeInTheirOrder(Metric metric) {
        for (int queries : new int[] {1, 40}) {
            float[] query = new float[queries * 19];
            float[] documents = new float[1_001 * 19];
            Arrays.fill(query, 0.3f);
            Arrays.fill(documents, 0.7f);
            for (List<Neighbour> found : similarity.topK(metric, query, documents, 19, 5)) {
                assertThat(found.stream().map(Neighbour::row)).containsExactly(0, 1, 2, 3, 4);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void extremesAreNeverNaN(Metric metric) {
        float[] sizes = {0f, 1e-45f, 1e-30f, 1e-20f, 1e-10f, 1f, 1e10f, 1e20f, 1e30f, 3e38f};
        int d = 50;
        float[] rows = new float[2 * sizes.length * d];
        Random random = new Random(9);
        for (int i = 0; i < rows.length; i++) {
            rows[i] = (2 * random.nextFloat() - 1) * sizes[i / d / 2];
        }
        int n = 2 * sizes.length;
        for (int queries : new int[] {1, n}) {
            float[] some = Arrays.copyOf(rows, queries * d);
            float[] values = similarity.scores(metric, some, rows, d).toFloatArray();
            for (int i = 0; i < queries; i++) {
                for (int j = 0; j < n; j++) {
                    double expected = Reference.score(metric, some, i * d, rows, j * d, d);
                    float actual = values[i * n + j];
                    double scale =
                            switch (metric) {
                                case COSINE -> 1;
                                case DOT_PRODUCT -> d * (double) sizes[i / 2] * sizes[j / 2];
                                case EUCLIDEAN, SQUARED_EUCLIDEAN -> expected;
                            };
                    double error = Math.abs(actual - expected);
                    assertThat(actual == (float) expected || error <= 2e-6 * scale + 1e-44)
                            .as("%s at %d, %d: %s of %s", metric, i, j, actual, expected)
                            .isTrue();
                }
            }
        }
    }

    @Test
    void whatIsNotFiniteIsRefusedWithItsPlace() {
        float[] good = new float[12];
        float[] bad = new float[12];
        bad[7] = Float.NaN;
        assertThatThrownBy(() -> similarity.scores(Metric.COSINE, good, bad, 4))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessage(
                        "documents: the value at row 1, column 3 is NaN; vectors must be finite.")
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.NOT_FINITE);
    }

    @Test
    void answersThatCannotBeHeldAreRefused() {
        float[] ones = new float[5_000];
        assertThatThrownBy(() -> similarity.scores(Metric.DOT_PRODUCT, ones, ones, 1))
                .hasMessageContaining("5000 × 5000 scores");
        assertThatThrownBy(() -> similarity.topK(Metric.DOT_PRODUCT, ones, ones, 1, 5_000))
                .hasMessageContaining("lower k");
        assertThatThrownBy(() -> similarity.topK(Metric.DOT_PRODUCT, ones, ones, 1, 0))
                .hasMessage("'k' is 0; it must be at least 1.");
    }

    @Test
    void nothingComparedWithSomethingIsNothing() {
        float[] none = {};
        float[] some = {1, 2};
        assertThat(similarity.scores(Metric.COSINE, none, some, 2).rows()).isZero();
        assertThat(similarity.scores(Metric.COSINE, some, none, 2).data().remaining()).isZero();
        assertThat(similarity.topK(Metric.COSINE, none, some, 2, 3)).isEmpty();
        assertThat(similarity.topK(Metric.COSINE, some, none, 2, 3)).containsExactly(List.of());
    }
}
