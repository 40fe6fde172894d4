package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is measured computes what its name says. */
class KernelBenchmarkTest {

    @ParameterizedTest
    @ValueSource(strings = {"fastest", "scalar"})
    void benchmarksComputeTheRightValues(String kind) {
        KernelBenchmark benchmark = new KernelBenchmark();
        benchmark.kind = kind;
        benchmark.prepare();
        int d = benchmark.dimension;
        float[] a = benchmark.a;
        float[] rows = benchmark.rows;
        assertClose(benchmark.dot(), Metric.DOT_PRODUCT, a, 0, benchmark.b, 0, d);
        assertClose(benchmark.cosine(), Metric.COSINE, a, 0, benchmark.b, 0, d);
        assertClose(
                benchmark.squaredEuclidean(), Metric.SQUARED_EUCLIDEAN, a, 0, benchmark.b, 0, d);
        assertThat(benchmark.allFinite()).isTrue();
        float[] four = benchmark.dot4();
        for (int i = 0; i < 4; i++) {
            assertClose(four[i], Metric.DOT_PRODUCT, a, 0, rows, i * d, d);
        }
        float[] products = benchmark.dotRows().clone();
        float[] distances = benchmark.squaredEuclideanRows();
        float[] matrix = benchmark.product();
        int stride = benchmark.pack().stride();
        assertThat(benchmark.pack().count()).isEqualTo(KernelBenchmark.ROWS);
        for (int i = 0; i < KernelBenchmark.ROWS; i++) {
            assertClose(products[i], Metric.DOT_PRODUCT, a, 0, rows, i * d, d);
            assertClose(distances[i], Metric.SQUARED_EUCLIDEAN, a, 0, rows, i * d, d);
            int j = (i * 7 + 3) % KernelBenchmark.ROWS;
            assertClose(matrix[i * stride + j], Metric.DOT_PRODUCT, rows, i * d, rows, j * d, d);
        }
    }

    private static void assertClose(
            float actual, Metric metric, float[] a, int aOffset, float[] b, int bOffset, int d) {
        assertThat((double) actual)
                .isCloseTo(Reference.score(metric, a, aOffset, b, bOffset, d), within(1e-3));
    }
}
