package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.store.LocalDisk;
import neuralcore.vectors.store.StoreFolder;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Each kind of file is damaged in each way at random places. Whatever happens, the collection is
 * refused with the file's name, or all of its rows are there as they were put: never anything else.
 * A failure names the seed.
 */
class DamagedFilesTest {
    private static final int SEEDS = Integer.getInteger("neuralcore.damage.seeds", 20);
    private static final int DIMENSION = 24;
    private static final int ROWS = 700;
    private static final List<String> KINDS =
            List.of(".log", ".snapshot", "collection.nc", "graph.nc");

    private enum Harm {
        FLIP_A_BIT,
        CUT_OFF,
        ZEROS,
        GARBAGE,
        EMPTY,
        DELETE
    }

    @TempDir Path folder;
    private Path original;

    /** A collection with a snapshot, a graph and a log of what came after them. */
    @BeforeEach
    void write() throws IOException {
        original = folder.resolve("original");
        Collections collections = open(original);
        Collection collection = collections.create("c", DIMENSION, Metric.DOT_PRODUCT, false);
        for (int from = 0; from < ROWS; from += 100) {
            if (from == 400) {
                collection.snapshot();
            }
            collection.upsert(batch(from, 100), DIMENSION);
        }
        collection.delete("", List.of(3L, 450L));
        collections.close();
    }

    private static Collections open(Path root) {
        return new Collections(
                KernelProvider.kernels(),
                new CollectionLimits(100, 1L << 30, 100, 16 << 20),
                Runnable::run,
                Parallel.sequential(),
                new Random(1),
                StoreFolder.open(new LocalDisk(), root));
    }

    private static Batch batch(int from, int count) {
        List<Object> ids = new ArrayList<>();
        List<@Nullable Map<String, @Nullable Object>> metadata = new ArrayList<>();
        float[] vectors = new float[count * DIMENSION];
        for (int i = 0; i < count; i++) {
            ids.add((long) from + i);
            metadata.add(Map.of("n", (long) from + i));
            System.arraycopy(vector(from + i), 0, vectors, i * DIMENSION, DIMENSION);
        }
        return new Batch(ids, vectors, metadata);
    }

    private static float[] vector(long id) {
        Random random = new Random(id);
        float[] vector = new float[DIMENSION];
        for (int i = 0; i < DIMENSION; i++) {
            vector[i] = (float) random.nextGaussian();
        }
        return vector;
    }

    @Test
    void nothingDamagedIsServed() throws IOException {
        long first = new Random().nextInt(1 << 20);
        int refused = 0;
        int rebuilt = 0;
        for (long seed = first; seed < first + SEEDS; seed++) {
            for (String kind : KINDS) {
                for (Harm harm : Harm.values()) {
                    String name = "seed %d, %s of %s".formatted(seed, harm, kind);
                    if (isRefused(name, new Random(seed), kind, harm)) {
                        refused++;
                    } else {
                        rebuilt++;
                    }
                }
            }
        }
        assertThat(refused).isPositive();
        assertThat(rebuilt).isPositive();
    }

    private boolean isRefused(String name, Random random, String kind, Harm harm)
            throws IOException {
        Path copy = folder.resolve("copy");
        deleteAll(copy);
        copyAll(original, copy);
        Path victim = pick(copy.resolve("c"), kind, random);
        harm(victim, harm, random);
        try (Collections collections = open(copy)) {
            Collection collection;
            try {
                collection = collections.get("c");
                check(name, collection);
            } catch (NeuralCoreException e) {
                assertThat(e.code())
                        .as(name)
                        .isIn(ErrorCode.DATA_DAMAGED, ErrorCode.VERSION_MISMATCH);
                assertThat(e.getMessage())
                        .as(name)
                        .contains(harm == Harm.DELETE ? "c/" : victim.getFileName().toString());
                assertThat(kind).as(name + ": a graph can be built again").isNotEqualTo("graph.nc");
                return true;
            }
        }
        return false;
    }

    private static void check(String name, Collection collection) {
        assertThat(collection.count()).as(name).isEqualTo(ROWS - 2);
        List<Object> ids = new ArrayList<>();
        for (long id = 0; id < ROWS; id++) {
            ids.add(id);
        }
        List<StoredRow> rows = collection.get("", ids, true).rows();
        assertThat(rows).as(name).hasSize(ROWS - 2);
        for (StoredRow row : rows) {
            long id = (Long) row.id();
            assertThat(row.vector()).as(name).isEqualTo(vector(id));
            assertThat(row.metadata()).as(name).isEqualTo(Map.of("n", id));
        }
        Found found =
                collection.search(Query.nearest(vector(77), DIMENSION, 5), Parallel.sequential());
        float best = Float.NEGATIVE_INFINITY;
        for (long id = 0; id < ROWS; id++) {
            best = id == 3 || id == 450 ? best : Math.max(best, dot(vector(77), vector(id)));
        }
        assertThat(found.hits().getFirst().getFirst().score())
                .as(name)
                .isCloseTo(best, org.assertj.core.api.Assertions.within(1e-3f));
    }

    private static float dot(float[] a, float[] b) {
        float sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static Path pick(Path collection, String kind, Random random) throws IOException {
        try (Stream<Path> files = Files.list(collection)) {
            List<Path> found =
                    files.filter(file -> file.toString().endsWith(kind)).sorted().toList();
            assertThat(found).as(kind).isNotEmpty();
            return found.get(random.nextInt(found.size()));
        }
    }

    private static void harm(Path file, Harm harm, Random random) throws IOException {
        if (harm == Harm.DELETE) {
            Files.delete(file);
            return;
        }
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            long size = bytes.length();
            long at = random.nextLong(size);
            int length = (int) Math.min(size - at, 1 + random.nextInt(2_000));
            switch (harm) {
                case FLIP_A_BIT -> {
                    bytes.seek(at);
                    int old = bytes.read();
                    bytes.seek(at);
                    bytes.write(old ^ 1 << random.nextInt(8));
                }
                case CUT_OFF -> bytes.setLength(at);
                case EMPTY -> bytes.setLength(0);
                case ZEROS -> {
                    bytes.seek(at);
                    bytes.write(new byte[length]);
                }
                case GARBAGE -> {
                    byte[] garbage = new byte[length];
                    random.nextBytes(garbage);
                    bytes.seek(at);
                    bytes.write(garbage);
                }
                case DELETE -> throw new AssertionError();
            }
        }
    }

    private static void copyAll(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path path : (Iterable<Path>) all::iterator) {
                Files.copy(path, to.resolve(from.relativize(path)));
            }
        }
    }

    private static void deleteAll(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
