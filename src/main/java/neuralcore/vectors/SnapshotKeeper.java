package neuralcore.vectors;

import java.io.IOException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import neuralcore.vectors.store.CollectionFiles;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes the snapshots of one durable collection, and its graph beside them: when asked, and by
 * itself when the log has grown. Thread-safe; one snapshot is written at a time.
 */
final class SnapshotKeeper {
    private static final Logger log = LoggerFactory.getLogger(SnapshotKeeper.class);

    /** A log of this length is worth a snapshot, if it is also longer than the last one. */
    private static final long SNAPSHOT_LOG_BYTES = 16L << 20;

    /** What is to be written. */
    interface Source {
        /** Null if nothing has changed since the last snapshot. */
        @Nullable CollectionSnapshot begin() throws IOException;
    }

    /** What may not happen while a snapshot is written. */
    interface Action {
        void run() throws IOException;
    }

    private final String name;
    private final CollectionFiles files;
    private final GraphIndexer indexer;
    private final Executor background;
    private final Source source;
    private final ReentrantLock snapshotting = new ReentrantLock();
    private final AtomicBoolean planned = new AtomicBoolean();

    /**
     * @param name of the collection, for the log
     * @param background where snapshots are written that nobody waits for
     */
    SnapshotKeeper(
            String name,
            CollectionFiles files,
            GraphIndexer indexer,
            Executor background,
            Source source) {
        this.name = name;
        this.files = files;
        this.indexer = indexer;
        this.background = background;
        this.source = source;
    }

    /** Writes a snapshot; answers whether there was anything to write. */
    boolean snapshot() throws IOException {
        snapshotting.lock();
        try {
            CollectionSnapshot begun = source.begin();
            if (begun == null) {
                return false;
            }
            files.writeSnapshot(begun).close();
            writeGraph();
            return true;
        } finally {
            snapshotting.unlock();
        }
    }

    /** Has a snapshot written in the background if the log is long enough. */
    void snapshotIfDue() {
        if (files.logBytes() > Math.max(SNAPSHOT_LOG_BYTES, files.snapshotBytes())
                && planned.compareAndSet(false, true)) {
            background.execute(this::snapshotQuietly);
        }
    }

    private void snapshotQuietly() {
        try {
            snapshot();
        } catch (IOException | RuntimeException e) {
            boolean dropped =
                    e instanceof NeuralCoreException known && known.code() == ErrorCode.NOT_FOUND;
            if (!dropped) {
                log.warn("No snapshot of collection '{}' could be written: {}", name, e.toString());
            }
        } finally {
            planned.set(false);
        }
    }

    /** So that opening need not build it again. */
    void saveGraph() {
        try {
            writeGraph();
        } catch (IOException | RuntimeException e) {
            log.warn("The graph of '{}' could not be written: {}", name, e.toString());
        }
    }

    private void writeGraph() throws IOException {
        indexer.useIfComplete(files::last, (graph, last) -> files.writeGraph(last, graph::writeTo));
    }

    /** Waits for a snapshot that is being written, and keeps others away meanwhile. */
    void betweenSnapshots(Action action) throws IOException {
        snapshotting.lock();
        try {
            action.run();
        } finally {
            snapshotting.unlock();
        }
    }
}
