package neuralcore.vectors;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import neuralcore.vectors.filter.MetadataIndex;
import neuralcore.vectors.store.Change;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/**
 * The rows of a collection in memory: {@link Columns}, and what finds rows in them.
 *
 * <p>A row never changes its slot nor what stands in it: replacing one puts the new row into
 * another slot and frees the old. A change is made in two steps, planned first and applied later,
 * so that it can be written to the log in between.
 *
 * <p>Not thread-safe; whoever owns it keeps writers and readers apart. Planning reads only what
 * writers change.
 */
final class Table {
    private final Columns columns;
    private final Namespaces namespaces = new Namespaces();
    private int[] free = new int[16];
    private int freeCount;

    /** Slots that are in use and that the graph does not have yet; null without a graph. */
    private @Nullable RoaringBitmap pending;

    /** Slots that are free but for the graph, which may still have them. */
    private final RoaringBitmap retired = new RoaringBitmap();

    private volatile @Nullable MetadataIndex metadata;

    /** What all rows' ids, metadata and texts weigh. */
    private long weight;

    /**
     * @param coded whether vectors have int8 codes too
     */
    Table(Scoring scoring, boolean coded) {
        this.columns = new Columns(scoring, coded);
    }

    Columns columns() {
        return columns;
    }

    Namespaces namespaces() {
        return namespaces;
    }

    int count() {
        return columns.live().getCardinality();
    }

    /** Free slots among the used ones. */
    int freeCount() {
        return freeCount;
    }

    /**
     * What an upsert does.
     *
     * @param put the rows; of equal ids the last
     * @param inserted ids that are new
     * @param weight bytes that the rows take, roughly, without their slots
     */
    record Plan(Change.Put put, int inserted, long weight) {}

    Plan plan(Batch batch, int dimension) {
        int size = batch.ids().size();
        int namespace = columns.namespaceNumberOrNone(batch.namespace());
        Map<Object, Integer> places = HashMap.newHashMap(size);
        int[] sources = new int[size];
        for (int i = 0; i < size; i++) {
            Integer place = places.putIfAbsent(batch.ids().get(i), places.size());
            sources[place == null ? places.size() - 1 : place] = i;
        }
        int count = places.size();
        int[] slots = new int[count];
        int[] freed = new int[count];
        long[] orders = new long[count];
        Object[] ids = new Object[count];
        byte[] @Nullable [] metadataJson = new byte[count] @Nullable [];
        byte[] @Nullable [] texts = new byte[count] @Nullable [];
        float[] vectors = count == size ? batch.vectors() : new float[count * dimension];
        long nextOrder = columns.nextOrder();
        long weight = 0;
        int inserted = 0;
        for (int i = 0; i < count; i++) {
            int source = sources[i];
            Object id = batch.ids().get(source);
            Integer known = namespaces.slot(namespace, id);
            freed[i] = known == null ? -1 : known;
            orders[i] = known == null ? nextOrder++ : columns.order(known);
            inserted += known == null ? 1 : 0;
            slots[i] = i < freeCount ? free[freeCount - 1 - i] : columns.used() + i - freeCount;
            ids[i] = id;
            metadataJson[i] = batch.metadataJson(source);
            texts[i] = batch.text(source);
            weight += Weights.of(id) + Weights.of(metadataJson[i]) + Weights.of(texts[i]);
            if (count != size) {
                System.arraycopy(
                        batch.vectors(), source * dimension, vectors, i * dimension, dimension);
            }
        }
        Change.Put put =
                new Change.Put(
                        batch.namespace(),
                        slots,
                        freed,
                        orders,
                        Arrays.asList(ids),
                        metadataJson,
                        texts,
                        vectors);
        return new Plan(put, inserted, weight);
    }

    /** Slots that must exist for this. */
    int slotsFor(Change.Put put) {
        return Math.max(columns.used(), columns.used() + put.slots().length - freeCount);
    }

    /** Bytes of everything but the index of the metadata. */
    long bytes() {
        return weight + columns.bytes();
    }

    /** Makes a planned change. */
    void apply(Change.Put put) {
        forget(put.freed());
        freeCount = Math.max(0, freeCount - put.slots().length);
        columns.apply(put);
        int namespace = columns.namespaceNumber(put.namespace());
        for (int i = 0; i < put.slots().length; i++) {
            namespaces.put(namespace, put.ids().get(i), put.slots()[i]);
            index(put.slots()[i]);
            weight += weight(put.slots()[i]);
            if (pending != null) {
                pending.add(put.slots()[i]);
            }
        }
        recycle(put.freed());
    }

    /** Takes rows away. */
    void apply(Change.Delete delete) {
        forget(delete.slots());
        columns.apply(delete);
        recycle(delete.slots());
    }

    private void forget(int[] slots) {
        for (int slot : slots) {
            if (slot < 0) {
                continue;
            }
            Object id = columns.id(slot);
            namespaces.remove(columns.namespace(slot), id, slot);
            MetadataIndex index = metadata;
            Map<String, @Nullable Object> map = index == null ? null : map(slot);
            if (index != null && map != null) {
                index.remove(slot, map);
            }
            weight -= weight(slot);
        }
    }

    private long weight(int slot) {
        return Weights.of(columns.id(slot))
                + Weights.of(columns.metadata(slot))
                + Weights.of(columns.text(slot));
    }

    private void recycle(int[] slots) {
        for (int slot : slots) {
            if (slot < 0) {
                continue;
            }
            if (pending == null) {
                reuse(slot);
            } else {
                pending.remove(slot);
                retired.add(slot);
            }
        }
    }

    /** Lets a slot be used again, unless it lies in a mapped file, where it cannot be. */
    void reuse(int slot) {
        if (columns.rows().snapshot().isMapped(slot)) {
            return;
        }
        if (freeCount == free.length) {
            free = Arrays.copyOf(free, 2 * freeCount);
        }
        free[freeCount++] = slot;
    }

    // ------------------------------------------------------------ what the graph has to do

    /**
     * From now on, slots wait for the graph.
     *
     * @param missing slots in use that the graph does not have
     */
    void beginGraph(RoaringBitmap missing) {
        pending = missing;
    }

    /** There is no graph any more. */
    void endGraph() {
        pending = null;
        retired.forEach((int slot) -> reuse(slot));
        retired.clear();
    }

    /** Of the free slots, uses only these again. */
    void reuseOnly(IntPredicate wanted) {
        int kept = 0;
        for (int i = 0; i < freeCount; i++) {
            if (wanted.test(free[i])) {
                free[kept++] = free[i];
            }
        }
        freeCount = kept;
    }

    /** Slots in use that the graph does not have yet; null without a graph. Not to be changed. */
    @Nullable RoaringBitmap pending() {
        return pending;
    }

    /** Whether the graph may have slots that are not in use. */
    boolean hasRetired() {
        return !retired.isEmpty();
    }

    boolean hasGraphWork() {
        RoaringBitmap waiting = pending;
        return waiting != null && (!waiting.isEmpty() || !retired.isEmpty());
    }

    int[] retired() {
        return retired.toArray();
    }

    /** The graph has let go of these. */
    void notRetired(int[] slots) {
        for (int slot : slots) {
            retired.remove(slot);
        }
    }

    int[] somePending(int most) {
        return pending == null ? new int[0] : pending.limit(most).toArray();
    }

    /** The graph has these now. */
    void notPending(int[] slots) {
        if (pending != null) {
            for (int slot : slots) {
                pending.remove(slot);
            }
        }
    }

    private void index(int slot) {
        MetadataIndex index = metadata;
        Map<String, @Nullable Object> map = index == null ? null : map(slot);
        if (index != null && map != null) {
            index.add(slot, map);
        }
    }

    private @Nullable Map<String, @Nullable Object> map(int slot) {
        byte[] json = columns.metadata(slot);
        return json == null ? null : Json.readObject(ByteBuffer.wrap(json));
    }

    /**
     * The index of the metadata. It is built, from all rows, when it is first asked for, and kept
     * up to date from then on. May be called by several readers at once.
     */
    MetadataIndex metadata() {
        MetadataIndex known = metadata;
        return known == null ? build() : known;
    }

    private synchronized MetadataIndex build() {
        MetadataIndex known = metadata;
        if (known != null) {
            return known;
        }
        MetadataIndex built = new MetadataIndex();
        columns.live()
                .forEach(
                        (int slot) -> {
                            Map<String, @Nullable Object> map = map(slot);
                            if (map != null) {
                                built.add(slot, map);
                            }
                        });
        metadata = built;
        return built;
    }

    /**
     * After changes were made to the columns alone: finds ids and free slots.
     *
     * @throws IllegalStateException if an id stands in two slots
     */
    void indexAll() {
        weight = 0;
        freeCount = 0;
        for (int slot = columns.used() - 1; slot >= 0; slot--) {
            if (!columns.isLive(slot)) {
                reuse(slot);
                continue;
            }
            Integer other = namespaces.put(columns.namespace(slot), columns.id(slot), slot);
            if (other != null) {
                throw new IllegalStateException(
                        "id %s stands in slots %d and %d".formatted(columns.id(slot), slot, other));
            }
            weight += weight(slot);
        }
    }

    /** The slots that a scope holds; the caller's to change. */
    RoaringBitmap find(Scope scope) {
        boolean everywhere = scope.namespace().equals(Scope.EVERYWHERE);
        int namespace = columns.namespaceNumberOrNone(scope.namespace());
        RoaringBitmap found;
        if (scope.allowed() != null) {
            found = new RoaringBitmap();
            List<Integer> wanted = everywhere ? columns.namespaceNumbers() : List.of(namespace);
            for (int number : wanted) {
                for (Object id : scope.allowed()) {
                    Integer slot = namespaces.slot(number, id);
                    if (slot != null) {
                        found.add(slot);
                    }
                }
            }
        } else {
            found = (everywhere ? columns.live() : namespaces.live(namespace)).clone();
        }
        if (scope.filter() != null) {
            found.and(metadata().find(scope.filter(), columns.live()));
        }
        return found;
    }
}
