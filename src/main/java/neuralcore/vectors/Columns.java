package neuralcore.vectors;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import neuralcore.vectors.store.Change;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/**
 * What stands in each slot, a column a property. Knows nothing of ids being unique: changes are
 * made as they come, and the last of a slot counts, so that the log may be read over a snapshot
 * that has seen part of it.
 *
 * <p>Not thread-safe; whoever owns it keeps writers and readers apart.
 */
final class Columns {
    private final Scoring scoring;
    private VectorRows rows;
    private final RoaringBitmap live = new RoaringBitmap();
    private final List<String> namespaceNames = new ArrayList<>();
    private final Map<String, Integer> namespaceNumbers = new HashMap<>();
    private @Nullable Object[] ids = {};
    private int[] namespaces = {};
    private long[] orders = {};
    private byte[] @Nullable [] metadata = {};
    private byte[] @Nullable [] texts = {};

    private int used;
    private long nextOrder;

    /**
     * @param coded whether vectors have int8 codes too
     */
    Columns(Scoring scoring, boolean coded) {
        this.scoring = scoring;
        this.rows = new VectorRows(scoring.dimension(), scoring.metric(), scoring.kernels(), coded);
    }

    /** Slots from here on have never been used. */
    int used() {
        return used;
    }

    long nextOrder() {
        return nextOrder;
    }

    VectorRows rows() {
        return rows;
    }

    /** Instead of the rows there are none of yet, such as lie in a mapped file. */
    void rows(VectorRows mapped) {
        rows = mapped;
    }

    /** Slots in use; not to be changed. */
    RoaringBitmap live() {
        return live;
    }

    boolean isLive(int slot) {
        return slot < used && ids[slot] != null;
    }

    Object id(int slot) {
        Object id = ids[slot];
        if (id == null) {
            throw new IllegalStateException("slot " + slot + " is free");
        }
        return id;
    }

    @Nullable Object idOrNull(int slot) {
        return ids[slot];
    }

    long order(int slot) {
        return orders[slot];
    }

    byte @Nullable [] metadata(int slot) {
        return metadata[slot];
    }

    byte @Nullable [] text(int slot) {
        return texts[slot];
    }

    int namespace(int slot) {
        return namespaces[slot];
    }

    String namespaceName(int number) {
        return namespaceNames.get(number);
    }

    List<String> namespaceNames() {
        return List.copyOf(namespaceNames);
    }

    /** The number of a namespace, a new one if it was never seen. */
    int namespaceNumber(String name) {
        Integer known = namespaceNumbers.get(name);
        if (known != null) {
            return known;
        }
        namespaceNames.add(name);
        namespaceNumbers.put(name, namespaceNames.size() - 1);
        return namespaceNames.size() - 1;
    }

    /** The number of a namespace, or −1 if it was never seen. */
    int namespaceNumberOrNone(String name) {
        return namespaceNumbers.getOrDefault(name, -1);
    }

    /** The numbers of all namespaces. */
    List<Integer> namespaceNumbers() {
        return List.copyOf(namespaceNumbers.values());
    }

    void reserve(int slots) {
        rows.reserve(slots);
        int capacity = rows.snapshot().capacity();
        if (capacity > ids.length) {
            ids = Arrays.copyOf(ids, capacity);
            namespaces = Arrays.copyOf(namespaces, capacity);
            orders = Arrays.copyOf(orders, capacity);
            metadata = Arrays.copyOf(metadata, capacity);
            texts = Arrays.copyOf(texts, capacity);
        }
    }

    /** Bytes that {@link #reserve} would take more. */
    long growthFor(int slots) {
        int more = Math.max(0, slots - ids.length);
        return rows.growthFor(slots) + (long) Weights.SLOT * more;
    }

    /** Bytes that the columns take, without what ids, metadata and texts point to. */
    long bytes() {
        return rows.heapBytes() + (long) Weights.SLOT * ids.length;
    }

    void apply(Change change) {
        switch (change) {
            case Change.Put put -> put(put);
            case Change.Delete delete -> {
                for (int slot : delete.slots()) {
                    clear(slot);
                }
            }
        }
    }

    private void put(Change.Put put) {
        int namespace = namespaceNumber(put.namespace());
        int dimension = scoring.dimension();
        for (int i = 0; i < put.slots().length; i++) {
            if (put.freed()[i] >= 0) {
                clear(put.freed()[i]);
            }
        }
        for (int i = 0; i < put.slots().length; i++) {
            int slot = put.slots()[i];
            place(
                    slot,
                    namespace,
                    put.orders()[i],
                    put.ids().get(i),
                    put.metadata()[i],
                    put.texts()[i]);
            rows.put(slot, put.vectors(), i * dimension);
        }
    }

    /** Everything of a row but its vector. */
    void place(
            int slot,
            int namespace,
            long order,
            Object id,
            byte @Nullable [] metadataJson,
            byte @Nullable [] text) {
        reserve(slot + 1);
        ids[slot] = id;
        namespaces[slot] = namespace;
        orders[slot] = order;
        metadata[slot] = metadataJson;
        texts[slot] = text;
        live.add(slot);
        used = Math.max(used, slot + 1);
        nextOrder = Math.max(nextOrder, order + 1);
    }

    private void clear(int slot) {
        if (slot < used) {
            ids[slot] = null;
            metadata[slot] = null;
            texts[slot] = null;
            live.remove(slot);
        }
    }

    /** As a snapshot says it, which may count slots and orders that are free now. */
    void begin(int slots, long firstOrder, List<String> names) {
        names.forEach(this::namespaceNumber);
        reserve(slots);
        used = Math.max(used, slots);
        nextOrder = Math.max(nextOrder, firstOrder);
    }

    StoredRow row(int slot, boolean withVector) {
        return new StoredRow(
                namespaceName(namespaces[slot]),
                id(slot),
                orders[slot],
                withVector ? rows.snapshot().get(slot) : null,
                metadata[slot],
                texts[slot]);
    }
}
