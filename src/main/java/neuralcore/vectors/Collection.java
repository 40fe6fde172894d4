package neuralcore.vectors;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import neuralcore.vectors.hnsw.HnswIndex;
import neuralcore.vectors.store.Change;
import neuralcore.vectors.store.CollectionFiles;
import neuralcore.vectors.store.Snapshot;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Vectors of one dimension with ids, metadata and texts, in namespaces.
 *
 * <p><b>Durability.</b> With files, a change is in the log, and synced, before the call that made
 * it returns. Callers that wait at the same time share a sync. A search may see a change a little
 * earlier.
 *
 * <p><b>Concurrency.</b> Thread-safe. Writers come one after the other; what they check, encode and
 * write to the log costs readers nothing. Only putting the rows into memory keeps readers away, and
 * syncing keeps nobody away. A batch is put or deleted as a whole, and a search sees all of it or
 * nothing.
 *
 * <p>Equally near rows come in the order in which their ids were first put.
 */
public final class Collection implements AutoCloseable {
    private final CollectionSpec spec;
    private final Scoring scoring;
    private final MemoryBudget budget;
    private final @Nullable CollectionFiles files;
    private final @Nullable SnapshotKeeper keeper;
    private final Table table;
    private final GraphIndexer indexer;
    private final int exactBelow;
    private final AnswerRoom room;
    private final RightOfWay way;

    /** Where vectors lie that are not in the heap. */
    private final @Nullable Snapshot mapped;

    /** Held by the one writer at a time; taken before {@link #lock}. */
    private final ReentrantLock writing = new ReentrantLock();

    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private volatile boolean ended;

    // Written by writers alone, read without a lock.
    private volatile int count;
    private volatile long openMillis;
    private volatile long bytes;

    private Collection(
            CollectionSpec spec,
            Scoring scoring,
            Surroundings around,
            Table table,
            @Nullable CollectionFiles files,
            @Nullable Snapshot mapped) {
        this.spec = spec;
        this.scoring = scoring;
        this.budget = around.budget();
        this.exactBelow = around.exactBelow();
        this.room = around.room();
        this.way = around.way();
        this.table = table;
        this.files = files;
        this.mapped = mapped;
        this.indexer =
                new GraphIndexer(
                        table,
                        spec.graphConfig(),
                        exactBelow,
                        around.builders(),
                        around.background(),
                        around.way(),
                        writing,
                        lock.writeLock());
        this.keeper =
                files == null
                        ? null
                        : new SnapshotKeeper(
                                spec.name(),
                                files,
                                indexer,
                                around.background(),
                                () -> snapshotSource(files));
    }

    /**
     * What a collection needs of its process.
     *
     * @param budget memory that all collections share
     * @param background runs what nobody waits for
     * @param builders help to build graphs
     * @param exactBelow collections with fewer rows get no graph
     * @param room of answers
     * @param way of searches, which go before graphs
     */
    record Surroundings(
            MemoryBudget budget,
            Executor background,
            Parallel builders,
            int exactBelow,
            AnswerRoom room,
            RightOfWay way) {}

    /**
     * An empty collection.
     *
     * @param files where it is kept, or null to keep it in memory alone
     */
    static Collection create(
            CollectionSpec spec,
            Scoring scoring,
            Surroundings around,
            @Nullable CollectionFiles files) {
        Table table = new Table(scoring, spec.coded());
        return new Collection(spec, scoring, around, table, files, null);
    }

    /** A collection with the rows that were read. They are kept even if they exceed the budget. */
    static Collection open(
            CollectionSpec spec,
            Scoring scoring,
            Surroundings around,
            CollectionLoader loader,
            CollectionFiles files)
            throws IOException {
        Table table = loader.table();
        table.indexAll();
        Collection opened = new Collection(spec, scoring, around, table, files, loader.mapped());
        HnswIndex graph = null;
        if (loader.canUseGraph()) {
            VectorRows rows = table.columns().rows();
            graph = files.readGraph(channel -> HnswIndex.readFrom(channel, rows));
        }
        if (graph != null) {
            opened.indexer.adopt(graph, loader.touched());
        }
        opened.account(0);
        opened.indexer.follow(opened.count);
        return opened;
    }

    /** For {@link #describe}. */
    void tookToOpen(long millis) {
        openMillis = millis;
    }

    public String name() {
        return spec.name();
    }

    public int dimension() {
        return scoring.dimension();
    }

    public Metric metric() {
        return spec.metric();
    }

    public int count() {
        return count;
    }

    public CollectionInfo info() {
        return new CollectionInfo(
                name(), dimension(), metric(), count, bytes, files != null, spec.metadata(), "");
    }

    /**
     * Puts rows; a row whose id is there is replaced, its metadata and text too. If this throws,
     * nothing has changed, unless it is an error of the disk.
     *
     * @param dimension of the batch's vectors
     * @throws NeuralCoreException {@link ErrorCode#DIMENSION_MISMATCH}, {@link
     *     ErrorCode#NOT_FINITE}, {@link ErrorCode#LIMIT_EXCEEDED} (of memory, or by a row that no
     *     answer would have room for), {@link ErrorCode#STORAGE_FULL}, {@link
     *     ErrorCode#STORAGE_FAILED}, or {@link ErrorCode#NOT_FOUND} if the collection has been
     *     dropped
     */
    public Upserted upsert(Batch batch, int dimension) {
        Checks.sameDimension(dimension, dimension());
        int size = batch.ids().size();
        if (batch.vectors().length != (long) size * dimension) {
            throw NeuralCoreException.invalid(
                    "%d ids came with %d vectors; give each vector an id."
                            .formatted(size, batch.vectors().length / dimension));
        }
        if (batch.namespace().equals(Scope.EVERYWHERE)) {
            throw NeuralCoreException.invalid(
                    "'namespace' is '*', which means all of them; name one.");
        }
        Checks.finite(scoring.kernels(), batch.vectors(), dimension, "vectors");
        if (size == 0) {
            return new Upserted(0, 0);
        }
        long sequence;
        Table.Plan plan;
        writing.lock();
        try {
            refuseIfEnded();
            plan = table.plan(batch, dimension);
            room.check(plan.put(), dimension);
            int slots = table.slotsFor(plan.put());
            long reserved = plan.weight() + table.columns().growthFor(slots);
            budget.reserve(reserved);
            try {
                // Before the log has the change: from there on nothing may fail.
                exclusively(() -> table.columns().reserve(slots));
                sequence = append(plan.put());
                exclusively(() -> table.apply(plan.put()));
            } finally {
                account(reserved);
            }
        } finally {
            writing.unlock();
        }
        settle(sequence);
        return new Upserted(plan.inserted(), size - plan.inserted());
    }

    /** Deletes the rows with these ids; answers how many were there. */
    public int delete(String namespace, List<Object> unwanted) {
        return delete(new Scope(namespace, null, unwanted));
    }

    /** Deletes the rows in scope; answers how many there were. */
    public int delete(Scope scope) {
        int[] slots;
        long sequence;
        writing.lock();
        try {
            refuseIfEnded();
            slots = table.find(scope).toArray();
            if (slots.length == 0) {
                return 0;
            }
            Change.Delete change = new Change.Delete(slots);
            sequence = append(change);
            exclusively(() -> table.apply(change));
            account(0);
        } finally {
            writing.unlock();
        }
        settle(sequence);
        return slots.length;
    }

    /**
     * Brings the figures up to date after a change.
     *
     * @param reserved what was reserved of the budget for it
     */
    private void account(long reserved) {
        HnswIndex graph = indexer.index();
        long now = table.bytes() + (graph == null ? 0 : graph.heapBytes());
        budget.take(now - bytes - reserved);
        bytes = now;
        count = table.count();
    }

    private long append(Change change) {
        return files == null ? 0 : files.append(change);
    }

    /** Waits until a change is on the disk. */
    private void settle(long sequence) {
        indexer.follow(count);
        if (files == null || keeper == null) {
            return;
        }
        files.sync(sequence);
        keeper.snapshotIfDue();
    }

    /** See {@link TableReader#get}; as many as have room in an answer. */
    public Page get(String namespace, List<Object> wanted, boolean vectorsToo) {
        return reading(
                () -> TableReader.get(table, namespace, wanted, vectorsToo, room.pageBytes()));
    }

    /** How many rows are in scope. */
    public int count(Scope scope) {
        return reading(() -> table.find(scope).getCardinality());
    }

    /** See {@link TableReader#scroll}; as many as have room in an answer. */
    public Page scroll(Scope scope, long after, int limit, boolean vectorsToo) {
        return reading(
                () -> TableReader.scroll(table, scope, after, limit, vectorsToo, room.pageBytes()));
    }

    /**
     * The k nearest rows of each query, nearest first; all in scope where there are fewer than k.
     *
     * @throws NeuralCoreException {@link ErrorCode#DIMENSION_MISMATCH}, {@link
     *     ErrorCode#NOT_FINITE}, {@link ErrorCode#LIMIT_EXCEEDED}, or {@link ErrorCode#NOT_FOUND}
     *     if the collection has been dropped
     */
    public Found search(Query query, Parallel parallel) {
        check(query);
        return way.first(() -> reading(() -> searcher(parallel).search(query)));
    }

    /**
     * Searches on the calling thread if that takes no more than about a tenth of a millisecond and
     * no writer is in the way; if not, answers null.
     *
     * @throws NeuralCoreException as {@link #search} does
     */
    public @Nullable Found searchIfQuick(Query query) {
        check(query);
        if (!lock.readLock().tryLock()) {
            return null;
        }
        try {
            refuseIfEnded();
            CollectionSearch searcher = searcher(Parallel.sequential());
            return searcher.isQuick(query) ? searcher.search(query) : null;
        } finally {
            lock.readLock().unlock();
        }
    }

    private void check(Query query) {
        Checks.sameDimension(query.dimension(), dimension());
        Checks.finite(scoring.kernels(), query.vectors(), query.dimension(), "queries");
        Checks.atLeastOne(query.k());
    }

    private CollectionSearch searcher(Parallel parallel) {
        return new CollectionSearch(
                table, scoring, indexer.index(), exactBelow, room.pageBytes(), parallel);
    }

    /** What it takes and how it is searched, for people and tests. */
    public Map<String, @Nullable Object> describe() {
        return reading(
                () ->
                        CollectionReport.of(
                                info(), table, indexer.index(), exactBelow, files, openMillis));
    }

    /** Some of its rows, spread evenly over its slots. */
    List<StoredRow> sample(int most) {
        return reading(() -> TableReader.sample(table, most));
    }

    /**
     * Writes a snapshot, so that opening need not read the log; answers whether there was anything
     * to write. Searches and writers go on meanwhile.
     */
    public boolean snapshot() throws IOException {
        return keeper != null && keeper.snapshot();
    }

    /**
     * Begins a segment of the log, and a snapshot of what was before; null if there is none due.
     */
    private @Nullable CollectionSnapshot snapshotSource(CollectionFiles from) throws IOException {
        writing.lock();
        try {
            refuseIfEnded();
            return from.last() == from.snapshotSequence()
                    ? null
                    : new CollectionSnapshot(table, lock.readLock(), from.rotate());
        } finally {
            writing.unlock();
        }
    }

    /** Ends it: what it holds in memory is given back, and further calls are refused. */
    @Override
    public void close() throws IOException {
        if (keeper != null && !ended) {
            keeper.saveGraph();
        }
        indexer.end();
        if (keeper == null) {
            end();
        } else {
            keeper.betweenSnapshots(this::end);
        }
    }

    private void end() throws IOException {
        writing.lock();
        lock.writeLock().lock();
        try {
            if (ended) {
                return;
            }
            ended = true;
            budget.release(bytes);
            bytes = 0;
            if (files != null) {
                files.close();
            }
            if (mapped != null) {
                mapped.close();
            }
        } finally {
            lock.writeLock().unlock();
            writing.unlock();
        }
    }

    /** Where it is kept, or null. */
    @Nullable CollectionFiles files() {
        return files;
    }

    private void refuseIfEnded() {
        if (ended) {
            throw Collections.notFound(name());
        }
    }

    private <T> T reading(Supplier<T> action) {
        lock.readLock().lock();
        try {
            refuseIfEnded();
            return action.get();
        } finally {
            lock.readLock().unlock();
        }
    }

    private void exclusively(Runnable action) {
        lock.writeLock().lock();
        try {
            action.run();
        } finally {
            lock.writeLock().unlock();
        }
    }
}
