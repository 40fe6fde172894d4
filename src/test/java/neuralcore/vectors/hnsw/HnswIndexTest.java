package neuralcore.vectors.hnsw;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import neuralcore.vectors.Metric;
import neuralcore.vectors.Parallel;
import neuralcore.vectors.RowBits;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an index promises. */
class HnswIndexTest {
    private static final int DIMENSION = 48;
    private static final int COUNT = 2_000;

    private static HnswConfig config(Traversal traversal) {
        return new HnswConfig(16, 32, 100, 50, 7, traversal);
    }

    private static IndexFixture fixture(Metric metric, Traversal traversal) {
        return new IndexFixture(DIMENSION, metric, config(traversal));
    }

    @ParameterizedTest
    @CsvSource({
        "COSINE,INT8",
        "COSINE,FLOAT32",
        "EUCLIDEAN,INT8",
        "EUCLIDEAN,FLOAT32",
        "SQUARED_EUCLIDEAN,INT8",
        "SQUARED_EUCLIDEAN,FLOAT32",
        "DOT_PRODUCT,INT8",
        "DOT_PRODUCT,FLOAT32"
    })
    void findsTheNearestByEveryMetricWithTheirTrueScores(Metric metric, Traversal traversal) {
        float[] vectors = TestVectors.CLUSTERED.make(COUNT + 50, DIMENSION, 1);
        for (int i = 0; i < vectors.length; i++) {
            vectors[i] *= 1 + i / DIMENSION % 3;
        }
        float[] queries = Arrays.copyOfRange(vectors, COUNT * DIMENSION, vectors.length);
        float[] stored = Arrays.copyOf(vectors, COUNT * DIMENSION);
        IndexFixture fixture = fixture(metric, traversal).with(stored);
        assertThat(fixture.recall(queries, 10, 100, COUNT)).isGreaterThan(0.97);
        for (int query = 0; query < 50; query++) {
            List<Integer> rows = fixture.search(queries, query, 10, 50);
            assertThat(rows).hasSize(10).doesNotHaveDuplicates();
            float before = fixture.found.score(0);
            for (int i = 0; i < 10; i++) {
                float score = fixture.found.score(i);
                float[] vector = fixture.rows.snapshot().get(rows.get(i));
                assertThat((double) score)
                        .isCloseTo(fixture.score(queries, query * DIMENSION, vector), within(1e-4));
                assertThat(metric.higherIsNearer() ? before - score : score - before)
                        .isGreaterThanOrEqualTo(0f);
                before = score;
            }
        }
    }

    @Test
    void fewRowsAreAllFound() {
        IndexFixture fixture = fixture(Metric.COSINE, Traversal.INT8);
        float[] vectors = TestVectors.UNIFORM.make(20, DIMENSION, 2);
        assertThat(fixture.search(vectors, 0, 10, 50)).isEmpty();
        for (int row = 0; row < 20; row++) {
            fixture.put(row, vectors, row);
            assertThat(fixture.search(vectors, row, 30, 1)).hasSize(row + 1).startsWith(row);
        }
        assertThat(fixture.index.size()).isEqualTo(20);
    }

    @Test
    void aRowIsAddedOnce() {
        IndexFixture fixture = fixture(Metric.COSINE, Traversal.INT8);
        fixture.put(0, new float[DIMENSION], 0);
        assertThatThrownBy(() -> fixture.index.add(0)).hasMessageContaining("Row 0");
    }

    @ParameterizedTest
    @EnumSource
    void equalSeedsMakeEqualGraphsOnOneThread(Traversal traversal) {
        float[] vectors = TestVectors.DUPLICATES.make(COUNT, DIMENSION, 3);
        IndexFixture one = fixture(Metric.COSINE, traversal).with(vectors);
        IndexFixture two = fixture(Metric.COSINE, traversal).with(vectors);
        for (int query = 0; query < 100; query++) {
            assertThat(one.search(vectors, query, 10, 20))
                    .isEqualTo(two.search(vectors, query, 10, 20));
            assertThat(one.found.visited()).isEqualTo(two.found.visited());
        }
    }

    @Test
    void aRemovedRowIsNeverFoundAndItsNumberComesBack() {
        float[] vectors = TestVectors.CLUSTERED.make(COUNT, DIMENSION, 4);
        IndexFixture fixture = fixture(Metric.COSINE, Traversal.INT8).with(vectors);
        for (int row = 0; row < COUNT; row += 2) {
            assertThat(fixture.index.remove(row)).isTrue();
            assertThat(fixture.search(vectors, row, 10, 50)).doesNotContain(row);
        }
        assertThat(fixture.index.remove(0)).isFalse();
        assertThat(fixture.index.size()).isEqualTo(COUNT / 2);
        fixture.index.repair();
        int[] freed = fixture.index.takeFreedRows();
        assertThat(freed).hasSize(COUNT / 2).doesNotHaveDuplicates();
        assertThat(fixture.index.takeFreedRows()).isEmpty();
        for (int row : freed) {
            assertThat(row % 2).isZero();
            assertThat(fixture.index.contains(row)).isFalse();
            fixture.put(row, vectors, row);
        }
        assertThat(fixture.recall(Arrays.copyOf(vectors, 50 * DIMENSION), 10, 100, COUNT))
                .isGreaterThan(0.98);
    }

    @Test
    void allCanBeRemovedAndTheIndexGoesOn() {
        float[] vectors = TestVectors.UNIFORM.make(300, DIMENSION, 5);
        IndexFixture fixture = fixture(Metric.EUCLIDEAN, Traversal.INT8).with(vectors);
        for (int row = 0; row < 300; row++) {
            fixture.index.remove(row);
        }
        fixture.index.repair();
        assertThat(fixture.search(vectors, 0, 10, 50)).isEmpty();
        fixture.put(300, vectors, 7);
        fixture.put(301, vectors, 8);
        assertThat(fixture.search(vectors, 7, 10, 50)).containsExactly(300, 301);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.001, 0.01, 0.1, 0.5, 0.99})
    void aFilterNeverLeavesFewerThanAsked(double share) {
        int count = 8_000;
        float[] vectors = TestVectors.CLUSTERED.make(count, DIMENSION, 6);
        IndexFixture fixture = fixture(Metric.COSINE, Traversal.INT8).with(vectors);
        Random random = new Random(6);
        RowBits accepted = new RowBits(0);
        for (int row = 0; row < count; row++) {
            if (random.nextDouble() < share) {
                accepted.add(row);
            }
        }
        int hits = 0;
        int wanted = 0;
        for (int query = 0; query < 100; query++) {
            List<Integer> truth = fixture.truth(vectors, query, 10, count, accepted::accepts);
            fixture.index.search(vectors, query * DIMENSION, 10, 20, accepted, fixture.found);
            assertThat(fixture.found.count()).isEqualTo(truth.size());
            assertThat(fixture.found.strategy())
                    .isEqualTo(share < 0.3 ? Found.Strategy.EXACT : Found.Strategy.GRAPH);
            for (int i = 0; i < fixture.found.count(); i++) {
                assertThat(accepted.accepts(fixture.found.row(i))).isTrue();
                hits += truth.contains(fixture.found.row(i)) ? 1 : 0;
            }
            wanted += truth.size();
        }
        assertThat((double) hits).isGreaterThanOrEqualTo(0.95 * wanted);
    }

    @Test
    void aThousandCopiesOfOneRowAreFoundAndDoNotCutTheRestOff() {
        float[] vectors = TestVectors.CLUSTERED.make(COUNT, DIMENSION, 8);
        for (int row = 0; row < COUNT; row += 2) {
            System.arraycopy(vectors, 0, vectors, row * DIMENSION, DIMENSION);
        }
        IndexFixture fixture = fixture(Metric.COSINE, Traversal.INT8).with(vectors);
        assertThat(fixture.search(vectors, 0, 1_000, 50)).hasSize(1_000).allMatch(r -> r % 2 == 0);
        for (int row = 1; row < COUNT; row += 2) {
            assertThat(fixture.search(vectors, row, 1, 50)).containsExactly(row);
        }
        // The node that all the others hang on goes, and one of them.
        fixture.index.remove(0);
        fixture.index.remove(4);
        fixture.index.repair();
        assertThat(fixture.search(vectors, 0, 998, 50))
                .hasSize(998)
                .allMatch(row -> row % 2 == 0)
                .doesNotContain(0, 4);
        assertThat(fixture.index.takeFreedRows()).containsExactly(4);
        for (int row = 2; row < COUNT; row += 2) {
            fixture.index.remove(row);
        }
        fixture.index.repair();
        assertThat(fixture.search(vectors, 0, 998, 50)).hasSize(998).allMatch(row -> row % 2 == 1);
        assertThat(fixture.index.takeFreedRows()).hasSize(999);
    }

    @Test
    void threadsAddRemoveAndSearchAtOnce() throws Exception {
        float[] vectors = TestVectors.CLUSTERED.make(6_000, DIMENSION, 9);
        IndexFixture fixture = fixture(Metric.COSINE, Traversal.INT8);
        for (int row = 0; row < 6_000; row++) {
            fixture.rows.put(row, vectors, row * DIMENSION);
        }
        fixture.index.addAll(0, 1_000, Parallel.sequential());
        AtomicBoolean ended = new AtomicBoolean();
        try (ExecutorService pool = Executors.newFixedThreadPool(6)) {
            Callable<Integer> searching =
                    () -> {
                        Found found = new Found();
                        int searches = 0;
                        while (!ended.get()) {
                            int query = searches++ % 500;
                            fixture.index.search(vectors, query * DIMENSION, 10, 50, null, found);
                            assertThat(found.count()).isEqualTo(10);
                            HashSet<Integer> seen = new HashSet<>();
                            for (int i = 0; i < 10; i++) {
                                assertThat(seen.add(found.row(i))).isTrue();
                            }
                            assertThat(found.row(0)).isEqualTo(query);
                        }
                        return searches;
                    };
            List<Future<?>> searches = List.of(pool.submit(searching), pool.submit(searching));
            List<Future<?>> writers = new ArrayList<>();
            for (int thread = 0; thread < 2; thread++) {
                int first = 1_000 + thread;
                writers.add(
                        pool.submit(
                                () -> {
                                    for (int row = first; row < 6_000; row += 2) {
                                        fixture.index.add(row);
                                    }
                                }));
            }
            writers.add(
                    pool.submit(
                            () -> {
                                for (int row = 500; row < 1_000; row++) {
                                    fixture.index.remove(row);
                                }
                            }));
            for (Future<?> writer : writers) {
                writer.get();
            }
            ended.set(true);
            for (Future<?> search : searches) {
                assertThat((Integer) search.get()).isPositive();
            }
        }
        assertThat(fixture.index.size()).isEqualTo(5_500);
        float[] queries = Arrays.copyOf(vectors, 100 * DIMENSION);
        assertThat(fixture.recall(queries, 10, 100, 6_000)).isGreaterThan(0.98);
    }
}
