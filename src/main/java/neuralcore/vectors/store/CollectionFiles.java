package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of one collection. A change is first in the log; a snapshot makes the log before it
 * superfluous. Reading begins with the newest snapshot and goes on with the log; if the newest is
 * damaged, with an older one or none, as long as the log reaches back so far.
 *
 * <p>Thread-safe; one snapshot is written at a time.
 */
public final class CollectionFiles implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(CollectionFiles.class);

    /** Takes what was read. */
    public interface Loader {
        /** Forgets what it has taken so far: another snapshot is tried. */
        void reset();

        /** The rows to begin with; answers whether it keeps the snapshot open. */
        boolean load(Snapshot snapshot);

        /** A change after the snapshot. */
        void apply(Change change, long sequence);
    }

    private final Disk disk;
    private final Path folder;
    private final Descriptor descriptor;
    private final ChangeLog changes;
    private volatile long snapshotSequence;
    private volatile long snapshotBytes;

    private CollectionFiles(
            Disk disk, Path folder, Descriptor descriptor, ChangeLog changes, long snapshot)
            throws IOException {
        this.disk = disk;
        this.folder = folder;
        this.descriptor = descriptor;
        this.changes = changes;
        this.snapshotSequence = snapshot;
        this.snapshotBytes = snapshot == 0 ? 0 : Files.size(Snapshot.path(folder, snapshot));
    }

    /** Makes the files of a new collection in a folder that is there. */
    static void create(Disk disk, Path folder, Descriptor descriptor) throws IOException {
        ChangeLog.create(disk, folder, descriptor.dimension(), descriptor.number()).close();
        descriptor.write(disk, folder);
    }

    /**
     * Reads a collection.
     *
     * @throws NeuralCoreException {@link ErrorCode#DATA_DAMAGED} if what was acknowledged cannot be
     *     read
     */
    public static CollectionFiles open(Disk disk, Path folder, Descriptor descriptor, Loader loader)
            throws IOException {
        NeuralCoreException first = null;
        for (Path path : snapshots(folder)) {
            try {
                return open(disk, folder, descriptor, loader, path);
            } catch (NeuralCoreException e) {
                if (e.code() != ErrorCode.DATA_DAMAGED) {
                    throw e;
                }
                first = first == null ? e : first;
                loader.reset();
            }
        }
        try {
            CollectionFiles files = open(disk, folder, descriptor, loader, null);
            if (first != null) {
                log.warn("{} Its rows were rebuilt from the log.", first.getMessage());
            }
            return files;
        } catch (NeuralCoreException e) {
            throw first == null ? e : first;
        }
    }

    private static CollectionFiles open(
            Disk disk, Path folder, Descriptor descriptor, Loader loader, @Nullable Path path)
            throws IOException {
        long sequence = 0;
        Snapshot snapshot = path == null ? null : Snapshot.open(path, descriptor);
        try {
            if (snapshot != null) {
                sequence = snapshot.head().sequence();
                if (!loader.load(snapshot)) {
                    snapshot.close();
                    snapshot = null;
                }
            }
            ChangeLog changes =
                    ChangeLog.open(
                            disk,
                            folder,
                            descriptor.dimension(),
                            descriptor.number(),
                            sequence,
                            loader::apply);
            return new CollectionFiles(disk, folder, descriptor, changes, sequence);
        } catch (NeuralCoreException e) {
            if (snapshot != null) {
                snapshot.close();
            }
            throw e;
        }
    }

    /** Newest first. */
    private static List<Path> snapshots(Path folder) throws IOException {
        List<Path> found = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            files.filter(file -> file.toString().endsWith(Snapshot.SUFFIX)).forEach(found::add);
        }
        found.sort(Comparator.reverseOrder());
        return found;
    }

    public Descriptor descriptor() {
        return descriptor;
    }

    public Path folder() {
        return folder;
    }

    public Disk disk() {
        return disk;
    }

    /** Writes a change; answers its number, for {@link #sync}. */
    public long append(Change change) {
        return changes.append(change);
    }

    /** Returns when this change and all before it are on the disk. */
    public void sync(long sequence) {
        changes.sync(sequence);
    }

    /** Number of the last change. */
    public long last() {
        return changes.last();
    }

    /** Begins a new segment of the log; answers the last change before it. */
    public long rotate() {
        return changes.rotate();
    }

    /**
     * Writes a snapshot and deletes what it makes superfluous.
     *
     * @param source its head's sequence comes from {@link #rotate}
     * @return the snapshot, open
     */
    public Snapshot writeSnapshot(SnapshotSource source) throws IOException {
        Path path = Snapshot.write(disk, folder, descriptor, source);
        long sequence = source.head().sequence();
        changes.deleteThrough(sequence);
        for (Path older : snapshots(folder)) {
            if (!older.equals(path)) {
                disk.delete(older);
            }
        }
        disk.syncFolder(folder);
        snapshotSequence = sequence;
        snapshotBytes = Files.size(path);
        return Snapshot.open(path, descriptor);
    }

    /** Writes a graph that has seen all changes up to this. */
    public void writeGraph(long sequence, StoredGraph.Content content) throws IOException {
        StoredGraph.write(disk, folder, descriptor.number(), sequence, content);
    }

    /**
     * The change that the stored graph has seen; −1 if there is none that can be read. A damaged
     * one is named in the log, and taken away.
     */
    public static long graphSequence(Disk disk, Path folder, Descriptor descriptor)
            throws IOException {
        try {
            return StoredGraph.sequence(folder, descriptor.number());
        } catch (NeuralCoreException e) {
            leaveGraph(disk, folder, e);
            return -1;
        }
    }

    /** Reads the stored graph; null if it is damaged, which is dealt with as above. */
    public <T> @Nullable T readGraph(StoredGraph.Reader<T> reader) throws IOException {
        try {
            return StoredGraph.read(folder, descriptor.number(), reader);
        } catch (NeuralCoreException e) {
            leaveGraph(disk, folder, e);
            return null;
        }
    }

    private static void leaveGraph(Disk disk, Path folder, NeuralCoreException reason)
            throws IOException {
        Path path = StoredGraph.path(folder);
        log.warn("{}: {} The graph is built again.", path, reason.getMessage());
        disk.delete(path);
    }

    /** The last change that the newest snapshot has seen; 0 if there is none. */
    public long snapshotSequence() {
        return snapshotSequence;
    }

    public long snapshotBytes() {
        return snapshotBytes;
    }

    public long logBytes() {
        return changes.bytes();
    }

    @Override
    public void close() throws IOException {
        changes.close();
    }
}
