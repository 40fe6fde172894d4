package neuralcore.vectors.hnsw;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import neuralcore.vectors.Metric;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What becomes of a graph in which rows come and go. {@code -Dhnsw.long=true} makes it large:
 * 20,000 rows and as many more operations against the model.
 */
class ChurnTest {
    private static final boolean LONG = Boolean.getBoolean("hnsw.long");
    private static final int COUNT = LONG ? 20_000 : 3_000;
    private static final int DIMENSION = 64;
    private static final int ROUNDS = 40;
    private static final int EF = 30;

    /** So many that chance moves the difference of two recalls by less than half a point. */
    private static final int QUERIES = 2_000;

    /** Forty times one in twenty goes and another comes; then a fresh index of the same vectors. */
    @ParameterizedTest
    @EnumSource
    void afterFortyRoundsRecallIsThatOfAFreshIndex(TestVectors shape) {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        int total = COUNT + ROUNDS * COUNT / 20;
        float[] vectors = shape.make(total + QUERIES, DIMENSION, seed);
        float[] queries = Arrays.copyOfRange(vectors, total * DIMENSION, vectors.length);
        HnswConfig config = new HnswConfig(12, 24, 100, EF, seed, Traversal.INT8);
        IndexFixture churned = new IndexFixture(DIMENSION, Metric.COSINE, config);
        List<Integer> live = new ArrayList<>();
        ArrayDeque<Integer> free = new ArrayDeque<>();
        int next = 0;
        while (next < COUNT) {
            churned.put(next, vectors, next);
            live.add(next++);
        }
        int used = COUNT;
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < COUNT / 20; i++) {
                int place = random.nextInt(live.size());
                churned.index.remove(live.get(place));
                live.set(place, live.getLast());
                live.removeLast();
            }
            for (int row : churned.index.takeFreedRows()) {
                free.add(row);
            }
            for (int i = 0; i < COUNT / 20; i++) {
                int row = free.isEmpty() ? used++ : free.removeFirst();
                churned.put(row, vectors, next++);
                live.add(row);
            }
        }
        assertThat(used).as("rows are used again").isLessThan(COUNT + COUNT / 5);
        IndexFixture fresh = new IndexFixture(DIMENSION, Metric.COSINE, config);
        for (int row : live) {
            fresh.rows.put(row, churned.rows.snapshot().get(row), 0);
            fresh.index.add(row);
        }
        double before = fresh.recall(queries, 10, EF, used);
        double after = churned.recall(queries, 10, EF, used);
        assertThat(after)
                .as("seed %d: churned against fresh %.4f", seed, before)
                .isGreaterThanOrEqualTo(before - (LONG ? 0.005 : 0.01));
    }

    /** Adds, removes and searches at random, against a map. */
    @Test
    void agreesWithAModel() {
        int seeds = LONG ? 500 : 40;
        long first = new Random().nextLong();
        for (long seed = first; seed < first + seeds; seed++) {
            model(seed);
        }
    }

    private static void model(long seed) {
        Random random = new Random(seed);
        TestVectors shape = TestVectors.values()[random.nextInt(TestVectors.values().length)];
        Metric metric = Metric.values()[random.nextInt(Metric.values().length)];
        Traversal traversal = Traversal.values()[random.nextInt(2)];
        int dimension = 1 + random.nextInt(20);
        float[] vectors = shape.make(600, dimension, seed);
        HnswConfig config = new HnswConfig(2 + random.nextInt(10), 20, 40, 20, seed, traversal);
        IndexFixture fixture = new IndexFixture(dimension, metric, config);
        Map<Integer, Integer> model = new HashMap<>();
        ArrayDeque<Integer> free = new ArrayDeque<>();
        int used = 0;
        for (int step = 0; step < 600; step++) {
            if (random.nextInt(3) > 0 || model.isEmpty()) {
                int row = free.isEmpty() ? used++ : free.removeFirst();
                int vector = random.nextInt(600);
                fixture.put(row, vectors, vector);
                model.put(row, vector);
            } else {
                List<Integer> rows = List.copyOf(model.keySet());
                int row = rows.get(random.nextInt(rows.size()));
                assertThat(fixture.index.remove(row)).isTrue();
                model.remove(row);
            }
            if (random.nextInt(20) == 0) {
                for (int row : fixture.index.takeFreedRows()) {
                    assertThat(model).as("seed %d", seed).doesNotContainKey(row);
                    free.add(row);
                }
            }
            if (random.nextInt(10) == 0) {
                int k = 1 + random.nextInt(30);
                List<Integer> found = fixture.search(vectors, random.nextInt(600), k, 30);
                assertThat(found)
                        .as("seed %d, step %d", seed, step)
                        .hasSize(Math.min(k, model.size()))
                        .doesNotHaveDuplicates()
                        .isSubsetOf(model.keySet());
            }
        }
        assertThat(fixture.index.size()).isEqualTo(model.size());
    }

    /** A search that has been compiled takes nothing from the heap. */
    @Test
    void searchesAllocateNothing() {
        float[] vectors = TestVectors.CLUSTERED.make(2_000, DIMENSION, 1);
        IndexFixture fixture =
                new IndexFixture(DIMENSION, Metric.COSINE, HnswConfig.defaults()).with(vectors);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        int searches = 1_000;
        for (int round = 0; round < 200 && least > 64 * searches; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int query = 0; query < searches; query++) {
                fixture.index.search(vectors, query * DIMENSION, 10, 50, null, fixture.found);
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        // A place in the queue of idle walkers.
        assertThat(least / searches).as("bytes a search").isLessThanOrEqualTo(64);
    }
}
