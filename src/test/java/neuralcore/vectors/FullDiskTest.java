package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.store.Disk;
import neuralcore.vectors.store.LocalDisk;
import neuralcore.vectors.store.StoreFolder;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That a disk has no room is told by its own code, whatever was to be written. */
class FullDiskTest {
    @TempDir Path folder;
    private boolean full;

    /** As the local one, but for no new files when it is full. */
    private final class SmallDisk implements Disk {
        private final Disk disk = new LocalDisk();

        @Override
        public Appender create(Path file) throws IOException {
            if (full) {
                throw new IOException("No space left on device");
            }
            return disk.create(file);
        }

        @Override
        public Appender open(Path file) throws IOException {
            return disk.open(file);
        }

        @Override
        public void move(Path from, Path to) throws IOException {
            disk.move(from, to);
        }

        @Override
        public void delete(Path file) throws IOException {
            disk.delete(file);
        }

        @Override
        public void syncFolder(Path path) throws IOException {
            disk.syncFolder(path);
        }
    }

    @Test
    void itIsToldOfSnapshotsAndNewCollectionsToo() throws IOException {
        try (Collections collections =
                new Collections(
                        KernelProvider.kernels(),
                        new CollectionLimits(100, 1L << 30, 100, 16 << 20),
                        Runnable::run,
                        Parallel.sequential(),
                        new Random(1),
                        StoreFolder.open(new SmallDisk(), folder.resolve("store")))) {
            CollectionRequests requests =
                    new CollectionRequests(collections, Parallel.sequential());
            Collection collection = collections.create("c", 2, Metric.COSINE, false);
            collection.upsert(new Batch(List.of(1L), new float[] {1, 2}, null), 2);
            Request snapshot =
                    new Request("snapshot", new Params(Map.of("collection", "c")), List.of());
            full = true;
            assertFull(() -> requests.snapshot(snapshot));
            assertFull(() -> collections.create("d", 2, Metric.COSINE, false));
            full = false;
            collection.upsert(new Batch(List.of(2L), new float[] {1, 2}, null), 2);
            assertThat(requests.snapshot(snapshot).result()).containsEntry("written", true);
            assertThat(collections.list()).hasSize(1);
        }
    }

    private static void assertFull(ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.STORAGE_FULL));
    }
}
