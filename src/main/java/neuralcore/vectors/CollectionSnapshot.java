package neuralcore.vectors;

import java.util.List;
import java.util.concurrent.locks.Lock;
import neuralcore.vectors.store.SnapshotSource;
import org.jspecify.annotations.Nullable;

/** A table as a snapshot takes it: some rows at a time, under the readers' lock. */
final class CollectionSnapshot implements SnapshotSource {
    private final Table table;
    private final Lock readers;
    private final Head head;
    private float[] vectors = {};

    /**
     * Made while no writer is at work.
     *
     * @param sequence of the last change
     */
    CollectionSnapshot(Table table, Lock readers, long sequence) {
        this.table = table;
        this.readers = readers;
        Columns columns = table.columns();
        this.head = new Head(sequence, columns.used(), columns.nextOrder());
    }

    @Override
    public Head head() {
        return head;
    }

    @Override
    public List<String> namespaces() {
        readers.lock();
        try {
            return table.columns().namespaceNames();
        } finally {
            readers.unlock();
        }
    }

    @Override
    public Block rows(int from, int to) {
        int count = to - from;
        @Nullable Object[] ids = new Object[count];
        int[] namespaces = new int[count];
        long[] orders = new long[count];
        byte[] @Nullable [] metadata = new byte[count] @Nullable [];
        byte[] @Nullable [] texts = new byte[count] @Nullable [];
        readers.lock();
        try {
            Columns columns = table.columns();
            for (int i = 0; i < count; i++) {
                int slot = from + i;
                ids[i] = columns.idOrNull(slot);
                namespaces[i] = columns.namespace(slot);
                orders[i] = columns.order(slot);
                metadata[i] = columns.metadata(slot);
                texts[i] = columns.text(slot);
            }
        } finally {
            readers.unlock();
        }
        return new Block(ids, namespaces, orders, metadata, texts);
    }

    @Override
    public float[] vectors(int from, int to) {
        readers.lock();
        try {
            VectorRows.Snapshot rows = table.columns().rows().snapshot();
            int dimension = rows.dimension();
            if (vectors.length < (to - from) * dimension) {
                vectors = new float[(to - from) * dimension];
            }
            for (int slot = from; slot < to; slot++) {
                rows.copy(slot, vectors, (slot - from) * dimension);
            }
            return vectors;
        } finally {
            readers.unlock();
        }
    }
}
