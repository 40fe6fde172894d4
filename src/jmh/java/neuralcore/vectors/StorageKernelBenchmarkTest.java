package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is measured computes what its name says. */
class StorageKernelBenchmarkTest {

    @ParameterizedTest
    @ValueSource(strings = {"fastest", "scalar"})
    void benchmarksComputeTheRightValues(String kind) {
        StorageKernelBenchmark benchmark = new StorageKernelBenchmark();
        benchmark.kind = kind;
        benchmark.prepareRows();
        int d = benchmark.dimension;
        double[] dots = new double[4];
        double[] squares = new double[4];
        double norm = 0;
        for (int i = 0; i < 4 * d; i++) {
            double x = benchmark.query[i % d];
            double y = benchmark.rows[i];
            dots[i / d] += x * y;
            squares[i / d] += (x - y) * (x - y);
            norm += i < d ? y * y : 0;
        }
        float queryStep = benchmark.prepare();
        float rowStep = benchmark.encode();
        assertThat(benchmark.encoded).startsWith(benchmark.codes[0], benchmark.codes[1]);
        assertThat((double) benchmark.codeDot4()[0] * queryStep * rowStep)
                .isCloseTo(dots[0], within(2.0));
        assertThat(benchmark.segmentCodeDot4().clone()).isEqualTo(benchmark.codeDot4());
        long pair = 0;
        for (int i = 0; i < d; i++) {
            pair += benchmark.codes[i] * benchmark.codes[d + i];
        }
        assertThat(benchmark.codeDot()).isEqualTo((int) pair);
        for (int row = 0; row < 4; row++) {
            assertThat((double) benchmark.gatherDot4()[row]).isCloseTo(dots[row], within(1e-3));
            assertThat((double) benchmark.segmentDot4()[row]).isCloseTo(dots[row], within(1e-3));
            assertThat((double) benchmark.gatherSquared4()[row])
                    .isCloseTo(squares[row], within(1e-3));
        }
        assertThat((double) benchmark.segmentDot()).isCloseTo(dots[1], within(1e-3));
        assertThat((double) benchmark.halfDot()).isCloseTo(dots[0], within(0.2));
        assertThat((double) benchmark.halfSquared()).isCloseTo(squares[0], within(0.5));
        assertThat((double) benchmark.normalize()).isCloseTo(Math.sqrt(norm), within(1e-3));
        assertThat((double) benchmark.target[5])
                .isCloseTo(benchmark.rows[5] / Math.sqrt(norm), within(1e-6));
    }
}
