package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.store.LocalDisk;
import neuralcore.vectors.store.StoreFolder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A graph is walked by codes where they tell its rows apart, else by the vectors. */
class GraphTraversalTest {
    private static final int DIMENSION = 512;
    private static final int CENTRES = 5;

    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);

    @TempDir Path folder;

    private Collections open() {
        return new Collections(
                KernelProvider.kernels(),
                new CollectionLimits(1_000, 1L << 30, 500, 16 << 20),
                Runnable::run,
                Parallel.sequential(),
                random,
                StoreFolder.open(new LocalDisk(), folder.resolve("store")));
    }

    /** Rows around few centres, as far from them as this share of the centres' length. */
    private float[] around(int rows, double share) {
        float[] centres = new float[CENTRES * DIMENSION];
        for (int i = 0; i < centres.length; i++) {
            centres[i] = (float) random.nextGaussian();
        }
        float[] vectors = new float[rows * DIMENSION];
        for (int row = 0; row < rows; row++) {
            int centre = random.nextInt(CENTRES);
            for (int i = 0; i < DIMENSION; i++) {
                vectors[row * DIMENSION + i] =
                        centres[centre * DIMENSION + i] + (float) (share * random.nextGaussian());
            }
        }
        return vectors;
    }

    private static void put(Collection collection, int first, float[] vectors) {
        List<Object> ids =
                IntStream.range(first, first + vectors.length / DIMENSION)
                        .mapToObj(i -> (Object) (long) i)
                        .toList();
        collection.upsert(new Batch(ids, vectors, null), DIMENSION);
    }

    private void assertWalked(Collection collection, String traversal) {
        assertThat(collection.describe())
                .as("seed %d", seed)
                .containsEntry("traversal", traversal)
                .containsEntry("unindexed", 0);
        assertThat(CollectionReport.recall(collection, 60, Parallel.sequential()))
                .as("seed %d", seed)
                .isGreaterThan(0.95);
    }

    @ParameterizedTest
    @EnumSource(Metric.class)
    void rowsThatDifferByLessThanTheirCodesAreWalkedByFloat32(Metric metric) throws IOException {
        Collections collections = open();
        Collection near = collections.create("near", DIMENSION, metric, false);
        put(near, 0, around(1_100, 0.01));
        assertWalked(near, "float32");
        near.snapshot();
        collections.close();

        collections = open();
        Collection mapped = collections.get("near");
        assertThat((long) mapped.describe().get("mapped_bytes")).isPositive();
        assertWalked(mapped, "float32");
        put(mapped, 2_000, around(100, 0.01));
        assertWalked(mapped, "float32");
        collections.close();
    }

    @Test
    void othersAreWalkedByTheirCodes() {
        Collections collections = open();
        Collection apart = collections.create("apart", DIMENSION, Metric.COSINE, false);
        put(apart, 0, around(600, 1));
        assertWalked(apart, "int8");

        // The same row many times: its codes are the same, and so is how near it is.
        float[] copies = new float[600 * DIMENSION];
        float[] row = around(1, 1);
        for (int i = 0; i < 600; i++) {
            System.arraycopy(row, 0, copies, i * DIMENSION, DIMENSION);
        }
        Collection equal = collections.create("equal", DIMENSION, Metric.COSINE, false);
        put(equal, 0, copies);
        assertWalked(equal, "int8");
        collections.close();
    }

    @Test
    void aGraphIsGivenUpWhenItsCodesDoNotDoAnyMore() {
        Collections collections = open();
        Collection growing = collections.create("growing", DIMENSION, Metric.EUCLIDEAN, false);
        float[] some = around(500, 1);
        put(growing, 0, some);
        // Copies of the first hundred, which then are in the graph for their copies' sake alone.
        put(growing, 500, Arrays.copyOf(some, 100 * DIMENSION));
        growing.delete("", IntStream.range(0, 100).mapToObj(i -> (Object) (long) i).toList());
        assertWalked(growing, "int8");
        float[] near = around(1_600, 0.01);
        put(growing, 1_000, Arrays.copyOf(near, 1_500 * DIMENSION));
        assertWalked(growing, "float32");
        assertThat(used(growing)).as("seed %d", seed).isEqualTo(2_100);
        // Their slots are free now.
        put(growing, 3_000, Arrays.copyOfRange(near, 1_500 * DIMENSION, near.length));
        assertThat(used(growing)).as("seed %d", seed).isEqualTo(2_100);
        assertThat(growing.count()).isEqualTo(2_100);
        assertWalked(growing, "float32");
        collections.close();
    }

    private static int used(Collection collection) {
        double deleted = (double) collection.describe().get("deleted_share");
        return (int) Math.round(collection.count() / (1 - deleted));
    }
}
