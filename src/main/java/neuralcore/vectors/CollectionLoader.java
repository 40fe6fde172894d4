package neuralcore.vectors;

import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;
import neuralcore.vectors.store.Change;
import neuralcore.vectors.store.CollectionFiles;
import neuralcore.vectors.store.Snapshot;
import neuralcore.vectors.store.SnapshotSource;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/** Fills a table from a snapshot and the changes after it. Not thread-safe. */
final class CollectionLoader implements CollectionFiles.Loader {
    private static final int BLOCK_ROWS = 1_024;

    /** Vectors stay in the file if more than this share of its slots is in use. */
    private static final double MAPPED_SHARE = 0.8;

    private final Supplier<Table> fresh;
    private final long graphSequence;
    private Table table;
    private long snapshotSequence;
    private @Nullable Snapshot mapped;

    /** Slots that were changed after the graph was written. */
    private RoaringBitmap touched = new RoaringBitmap();

    /**
     * @param fresh makes an empty table
     * @param graphSequence the change that the stored graph has seen, or −1
     */
    CollectionLoader(Supplier<Table> fresh, long graphSequence) {
        this.fresh = fresh;
        this.graphSequence = graphSequence;
        this.table = fresh.get();
    }

    Table table() {
        return table;
    }

    /** The snapshot in which vectors lie, or null. */
    @Nullable Snapshot mapped() {
        return mapped;
    }

    /** Whether the stored graph can be brought up to date from what was read. */
    boolean canUseGraph() {
        return graphSequence >= 0
                && graphSequence >= snapshotSequence
                && touched.getCardinality() <= table.columns().used() / 4;
    }

    RoaringBitmap touched() {
        return touched;
    }

    @Override
    public void reset() {
        table = fresh.get();
        touched = new RoaringBitmap();
        snapshotSequence = 0;
        mapped = null;
    }

    @Override
    public boolean load(Snapshot snapshot) {
        SnapshotSource.Head head = snapshot.head();
        snapshotSequence = head.sequence();
        Columns columns = table.columns();
        int dimension = columns.rows().dimension();
        RowsInUse inUse = new RowsInUse();
        snapshot.forEach((slot, namespace, order, id, metadata, text) -> inUse.count++);
        boolean map = columns.rows().coded() && inUse.count > MAPPED_SHARE * head.slots();
        if (map) {
            MemorySegment vectors = snapshot.vectors();
            columns.rows(
                    new VectorRows(
                            vectors,
                            head.slots(),
                            dimension,
                            columns.rows().metric(),
                            columns.rows().kernels(),
                            true));
            mapped = snapshot;
        }
        columns.begin(head.slots(), head.nextOrder(), snapshot.namespaces());
        snapshot.forEach(columns::place);
        if (!map) {
            copyVectors(snapshot, columns.rows());
        }
        return map;
    }

    private static void copyVectors(Snapshot snapshot, VectorRows rows) {
        int dimension = rows.dimension();
        int slots = snapshot.head().slots();
        float[] block = new float[BLOCK_ROWS * dimension];
        for (int from = 0; from < slots; from += BLOCK_ROWS) {
            int to = Math.min(slots, from + BLOCK_ROWS);
            snapshot.vectors(from, to, block);
            for (int slot = from; slot < to; slot++) {
                rows.put(slot, block, (slot - from) * dimension);
            }
        }
    }

    @Override
    public void apply(Change change, long sequence) {
        table.columns().apply(change);
        if (sequence > graphSequence) {
            int[] slots =
                    switch (change) {
                        case Change.Put put -> {
                            for (int freed : put.freed()) {
                                if (freed >= 0) {
                                    touched.add(freed);
                                }
                            }
                            yield put.slots();
                        }
                        case Change.Delete delete -> delete.slots();
                    };
            touched.add(slots);
        }
    }

    /** Counted in a lambda. */
    private static final class RowsInUse {
        int count;
    }
}
