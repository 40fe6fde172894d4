package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import neuralcore.vectors.simd.TestKernels;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Random operations on a collection, and on a map that is searched by looking at everything. A
 * failure names the seed; {@code -Dneuralcore.seed=…} runs it alone.
 */
class CollectionModelTest {
    private static final int SEEDS = 40;
    private static final int OPERATIONS = 60;

    private record Row(float[] vector, @Nullable Map<String, @Nullable Object> metadata) {}

    /** What one seed runs on. */
    private static final class World {
        final Random random;
        final String name;
        final int dimension;
        final Metric metric;
        final Collections collections;
        final Collection collection;

        /** In the order in which ids were first put. */
        final Map<String, Row> model = new LinkedHashMap<>();

        World(long seed) {
            random = new Random(seed);
            var kinds = TestKernels.all();
            var kernels = kinds.get(random.nextInt(kinds.size()));
            dimension = 1 + random.nextInt(40);
            metric = Metric.values()[random.nextInt(Metric.values().length)];
            collections = new Collections(kernels, 100, 1L << 30);
            collection = collections.create("c", dimension, metric, false);
            name = "seed %d (%s, %s, %d)".formatted(seed, kernels.name(), metric, dimension);
        }

        /** Few values of few digits, so that rows are often equally near. */
        float[] vectors(int count) {
            float[] values = new float[count * dimension];
            for (int i = 0; i < values.length; i++) {
                values[i] = random.nextInt(5) - 2;
            }
            return values;
        }

        List<String> ids(int count) {
            List<String> ids = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                ids.add("id-" + random.nextInt(900));
            }
            return ids;
        }
    }

    @Test
    void aCollectionIsAMapThatCanBeSearched() {
        Long seed = Long.getLong("neuralcore.seed");
        if (seed != null) {
            run(seed);
            return;
        }
        long first = new Random().nextInt();
        for (int i = 0; i < SEEDS; i++) {
            run(first + i);
        }
    }

    private static void run(long seed) {
        World world = new World(seed);
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            Parallel parallel = new Parallel(pool, 3);
            for (int i = 0; i < OPERATIONS; i++) {
                switch (world.random.nextInt(5)) {
                    case 0, 1 -> upsert(world);
                    case 2 -> delete(world);
                    case 3 -> get(world);
                    default -> search(world, parallel);
                }
                assertThat(world.collection.count()).as(world.name).isEqualTo(world.model.size());
            }
        }
        long held = world.collections.bytes();
        assertThat(held).as(world.name).isEqualTo(world.collection.info().bytes());
        world.collections.drop("c");
        assertThat(world.collections.bytes()).as(world.name).isZero();
    }

    private static void upsert(World world) {
        int size = world.random.nextInt(world.random.nextInt(10) == 0 ? 600 : 30);
        List<String> ids = world.ids(size);
        float[] vectors = world.vectors(size);
        List<@Nullable Map<String, @Nullable Object>> metadata = null;
        if (world.random.nextBoolean()) {
            metadata = new ArrayList<>();
            for (int i = 0; i < size; i++) {
                metadata.add(world.random.nextBoolean() ? null : Map.of("n", i, "id", ids.get(i)));
            }
        }
        int before = world.model.size();
        for (int i = 0; i < size; i++) {
            int from = i * world.dimension;
            float[] vector = Arrays.copyOfRange(vectors, from, from + world.dimension);
            world.model.put(ids.get(i), new Row(vector, metadata == null ? null : metadata.get(i)));
        }
        Upserted upserted =
                world.collection.upsert(new Batch(ids, vectors, metadata), world.dimension);
        int inserted = world.model.size() - before;
        assertThat(upserted).as(world.name).isEqualTo(new Upserted(inserted, size - inserted));
    }

    private static void delete(World world) {
        List<String> ids = world.ids(world.random.nextInt(200));
        int before = world.model.size();
        ids.forEach(world.model::remove);
        assertThat(world.collection.delete(ids))
                .as(world.name)
                .isEqualTo(before - world.model.size());
    }

    private static void get(World world) {
        List<String> ids = world.ids(world.random.nextInt(40));
        List<StoredRow> found = world.collection.get(ids);
        List<String> expected = ids.stream().filter(world.model::containsKey).toList();
        assertThat(found).as(world.name).extracting(StoredRow::id).isEqualTo(expected);
        for (StoredRow row : found) {
            Row modelled = Objects.requireNonNull(world.model.get(row.id()));
            assertThat(row.vector()).as(world.name).isEqualTo(modelled.vector());
            assertThat(row.metadata()).as(world.name).isEqualTo(modelled.metadata());
        }
    }

    private static void search(World world, Parallel parallel) {
        int count = world.random.nextInt(40);
        int k = 1 + world.random.nextInt(30);
        float[] queries = world.vectors(count);
        List<List<Hit>> found = world.collection.search(queries, world.dimension, k, parallel);
        assertThat(found).as(world.name).hasSize(count);
        for (int q = 0; q < count; q++) {
            int query = q * world.dimension;
            // Sorting keeps the order of equals, which is that of the first put.
            List<Map.Entry<String, Row>> nearest = new ArrayList<>(world.model.entrySet());
            nearest.sort(Comparator.comparingDouble(row -> rank(world, queries, query, row)));
            List<Hit> hits = found.get(q);
            assertThat(hits).as(world.name).hasSize(Math.min(k, nearest.size()));
            for (int rank = 0; rank < hits.size(); rank++) {
                Hit hit = hits.get(rank);
                Map.Entry<String, Row> expected = nearest.get(rank);
                double score = score(world, queries, query, expected);
                assertThat((double) hit.score())
                        .as(world.name)
                        .isCloseTo(score, within(2e-6 * Math.max(1, Math.abs(score))));
                // Cosines that are equal on paper may differ in their last digit.
                if (world.metric != Metric.COSINE) {
                    assertThat(hit.id()).as(world.name).isEqualTo(expected.getKey());
                }
                Row row = Objects.requireNonNull(world.model.get(hit.id()));
                assertThat(hit.metadata()).as(world.name).isEqualTo(row.metadata());
            }
            assertThat(hits).as(world.name).extracting(Hit::id).doesNotHaveDuplicates();
        }
    }

    private static double rank(
            World world, float[] queries, int query, Map.Entry<String, Row> row) {
        double score = score(world, queries, query, row);
        return world.metric.higherIsNearer() ? -score : score;
    }

    private static double score(
            World world, float[] queries, int query, Map.Entry<String, Row> row) {
        return Reference.score(
                world.metric, queries, query, row.getValue().vector(), 0, world.dimension);
    }
}
