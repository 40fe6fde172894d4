package neuralcore.vectors;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import neuralcore.vectors.simd.Kernels;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Vectors of one dimension with string ids and metadata, in memory, searched exactly.
 *
 * <p><b>Concurrency.</b> Thread-safe: many readers or one writer. A batch is put or deleted as a
 * whole, and a search sees all of it or nothing. What can be checked or computed without the lock
 * is done before it is taken, so that a writer holds it for little more than the copying; a search
 * holds its share of it from beginning to end.
 *
 * <p><b>Slots.</b> A row keeps its slot as long as it lives; the slot of a deleted row is used
 * again. Equally near rows come in the order in which their ids were first put, whatever slots they
 * have.
 *
 * <p>A search costs queries · rows · dimension multiplications, spread over threads.
 */
public final class Collection {
    /**
     * What stands in a slot beside the vector.
     *
     * @param order when the id was put first
     */
    private record Entry(String id, long order, @Nullable Map<String, @Nullable Object> metadata) {}

    private final String name;
    private final Metric metric;
    private final Scoring scoring;
    private final MemoryBudget budget;

    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private final Map<String, Integer> slots = new HashMap<>();
    private final ArrayList<Integer> freeSlots = new ArrayList<>();
    private final Rows rows;

    /** By slot; null where the slot is free. */
    private @Nullable Entry[] entries = {};

    /** By slot, for {@link Metric#COSINE}. */
    private float[] inverseNorms = {};

    /** Slots from here on have never been used. */
    private int usedSlots;

    private long nextOrder;
    private boolean dropped;

    // Written under the lock, read without it.
    private volatile int count;
    private volatile long bytes;

    Collection(String name, int dimension, Metric metric, Kernels kernels, MemoryBudget budget) {
        this.name = name;
        this.metric = metric;
        this.scoring = new Scoring(kernels, metric, dimension);
        this.budget = budget;
        this.rows = new Rows(dimension);
    }

    public int dimension() {
        return scoring.dimension();
    }

    public Metric metric() {
        return metric;
    }

    public int count() {
        return count;
    }

    public CollectionInfo info() {
        return new CollectionInfo(name, dimension(), metric, count, bytes);
    }

    /**
     * Puts rows; a row whose id is there is replaced, its metadata too. If this throws, nothing has
     * changed.
     *
     * @param dimension of the batch's vectors
     * @throws NeuralCoreException {@link ErrorCode#DIMENSION_MISMATCH}, {@link
     *     ErrorCode#NOT_FINITE}, {@link ErrorCode#LIMIT_EXCEEDED}, or {@link ErrorCode#NOT_FOUND}
     *     if the collection has been dropped
     */
    public Upserted upsert(Batch batch, int dimension) {
        Checks.sameDimension(dimension, dimension());
        int size = batch.ids().size();
        if (batch.vectors().length != (long) size * dimension) {
            throw NeuralCoreException.invalid(
                    "%d ids came with %d vectors; give each vector an id."
                            .formatted(size, batch.vectors().length / dimension));
        }
        Checks.finite(scoring.kernels(), batch.vectors(), dimension, "vectors");
        float[] factors = new float[size];
        for (int i = 0; i < size && metric == Metric.COSINE; i++) {
            factors[i] = scoring.inverseNorm(batch.vectors(), i * dimension);
        }
        return locked(lock.writeLock(), () -> write(batch, factors));
    }

    private Upserted write(Batch batch, float[] factors) {
        makeRoom(batch);
        int inserted = 0;
        long replaced = 0;
        for (int i = 0; i < factors.length; i++) {
            String id = batch.ids().get(i);
            Integer known = slots.get(id);
            int slot;
            long order;
            if (known == null) {
                slot = freeSlots.isEmpty() ? usedSlots++ : freeSlots.removeLast();
                order = nextOrder++;
                slots.put(id, slot);
                inserted++;
            } else {
                slot = known;
                Entry entry = entry(slot);
                order = entry.order();
                replaced += Weights.of(entry.metadata());
            }
            rows.set(slot, batch.vectors(), i * dimension());
            inverseNorms[slot] = factors[i];
            entries[slot] = new Entry(id, order, batch.metadata(i));
        }
        count = slots.size();
        release(replaced);
        return new Upserted(inserted, factors.length - inserted);
    }

    /** Reserves the memory for a batch, then allocates it; or throws and leaves all as it was. */
    private void makeRoom(Batch batch) {
        Set<String> fresh = new HashSet<>();
        long weight = 0;
        for (int i = 0; i < batch.ids().size(); i++) {
            String id = batch.ids().get(i);
            if (!slots.containsKey(id) && fresh.add(id)) {
                weight += Weights.of(id);
            }
            weight += Weights.of(batch.metadata(i));
        }
        int needed = usedSlots + Math.max(0, fresh.size() - freeSlots.size());
        int capacity = rows.capacityFor(needed);
        long slotBytes = (long) dimension() * Float.BYTES + Weights.SLOT;
        weight += (capacity - rows.capacity()) * slotBytes;
        budget.reserve(weight);
        bytes += weight;
        rows.grow(needed);
        entries = Arrays.copyOf(entries, capacity);
        inverseNorms = Arrays.copyOf(inverseNorms, capacity);
    }

    /** The rows with these ids, in the ids' order; ids that are not there are left out. */
    public List<StoredRow> get(List<String> wanted) {
        return locked(
                lock.readLock(),
                () -> {
                    List<StoredRow> found = new ArrayList<>(wanted.size());
                    for (String id : wanted) {
                        Integer slot = slots.get(id);
                        if (slot != null) {
                            found.add(new StoredRow(id, rows.get(slot), entry(slot).metadata()));
                        }
                    }
                    return found;
                });
    }

    /** Deletes the rows with these ids; answers how many were there. */
    public int delete(List<String> unwanted) {
        return locked(
                lock.writeLock(),
                () -> {
                    int before = slots.size();
                    long freed = 0;
                    for (String id : unwanted) {
                        Integer slot = slots.remove(id);
                        if (slot != null) {
                            freed += Weights.of(id) + Weights.of(entry(slot).metadata());
                            entries[slot] = null;
                            freeSlots.add(slot);
                        }
                    }
                    count = slots.size();
                    release(freed);
                    return before - slots.size();
                });
    }

    /**
     * The k nearest rows of each query, nearest first; all of them where there are fewer than k.
     *
     * @param queries rows of {@code dimension}
     * @throws NeuralCoreException {@link ErrorCode#DIMENSION_MISMATCH}, {@link
     *     ErrorCode#NOT_FINITE}, {@link ErrorCode#LIMIT_EXCEEDED}, or {@link ErrorCode#NOT_FOUND}
     *     if the collection has been dropped
     */
    public List<List<Hit>> search(float[] queries, int dimension, int k, Parallel parallel) {
        Checks.sameDimension(dimension, dimension());
        Checks.finite(scoring.kernels(), queries, dimension, "queries");
        Checks.atLeastOne(k);
        return locked(lock.readLock(), () -> nearest(queries, k, parallel));
    }

    private List<List<Hit>> nearest(float[] queries, int k, Parallel parallel) {
        List<List<Neighbour>> found =
                NearestRows.find(
                        scoring,
                        queries,
                        rows,
                        usedSlots,
                        inverseNorms,
                        this::order,
                        Math.min(k, count),
                        parallel);
        List<List<Hit>> hits = new ArrayList<>(found.size());
        for (List<Neighbour> neighbours : found) {
            List<Hit> ofQuery = new ArrayList<>(neighbours.size());
            for (Neighbour neighbour : neighbours) {
                Entry entry = entry(neighbour.row());
                ofQuery.add(new Hit(entry.id(), neighbour.score(), entry.metadata()));
            }
            hits.add(ofQuery);
        }
        return hits;
    }

    /** Ends it: what it holds is given back, and further calls are refused. */
    void drop() {
        locked(
                lock.writeLock(),
                () -> {
                    dropped = true;
                    release(bytes);
                    return true;
                });
    }

    private long order(int slot) {
        Entry entry = entries[slot];
        return entry == null ? TopKSink.ABSENT : entry.order();
    }

    private Entry entry(int slot) {
        Entry entry = entries[slot];
        if (entry == null) {
            throw new IllegalStateException("Slot " + slot + " of " + name + " is free.");
        }
        return entry;
    }

    private void release(long freed) {
        bytes -= freed;
        budget.release(freed);
    }

    private <T> T locked(Lock held, Supplier<T> action) {
        held.lock();
        try {
            if (dropped) {
                throw Collections.notFound(name);
            }
            return action.get();
        } finally {
            held.unlock();
        }
    }
}
