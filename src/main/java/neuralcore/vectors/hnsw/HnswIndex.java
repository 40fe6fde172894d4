package neuralcore.vectors.hnsw;

import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import neuralcore.vectors.Parallel;
import neuralcore.vectors.RowFilter;
import neuralcore.vectors.VectorRows;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * The index: nodes are rows of a {@link VectorRows}.
 *
 * <p><b>Concurrency.</b> Thread-safe. Searches never wait and hold no lock, also while rows are
 * added, removed and repaired. Any number of threads may add; removing and {@link #repair} take
 * their turns, and adding waits while a repair runs.
 *
 * <p><b>Removing.</b> A removed row is left out of answers at once and stays a stepping stone until
 * the next repair, which gives every node that was linked with removed ones new links from among
 * their neighbours. Repairs run by themselves, on the thread that removes, whenever one row in
 * {@value #REPAIR_SHARE} has been removed.
 *
 * <p><b>Cost.</b> A search compares the query with a few thousand rows at most, and allocates
 * nothing after a thread's first. Adding is a search with {@code efConstruction} candidates. A
 * repair reads all links once and chooses about 20 lists anew for each removed row.
 */
public final class HnswIndex {
    private static final int REPAIR_SHARE = 128;
    private static final int LEAST_REPAIR = 32;
    static final int MAX_LEVEL = 30;

    /** Rows that are compared again in float32: so many times k, and at least as many as that. */
    private static final int RESCORED_FACTOR = 2;

    private static final int RESCORED_LEAST = 20;

    /** As many accepted rows, times a search's candidates, are compared one by one. */
    private static final long EXACT_FACTOR = 128;

    private final VectorRows rows;
    private final HnswConfig config;
    private final Graph graph;
    private final ConcurrentLinkedQueue<Walker> idle = new ConcurrentLinkedQueue<>();
    private final List<Walker> walkers = new CopyOnWriteArrayList<>();
    private final AtomicInteger live = new AtomicInteger();

    /** Shared: adding. Alone: repairing. */
    private final ReentrantReadWriteLock shape = new ReentrantReadWriteLock();

    private final Object entryLock = new Object();
    private final Object removing = new Object();

    /** Removed and still linked. */
    private final ArrayList<Integer> dead = new ArrayList<>();

    /** No longer linked, but a walk that began before may stand on one. */
    private final ArrayDeque<Limbo> limbo = new ArrayDeque<>();

    /** Grows with each repair; a walk notes it when it begins. */
    private final AtomicLong epoch = new AtomicLong(1);

    private record Limbo(int row, long epoch) {}

    public HnswIndex(VectorRows rows, HnswConfig config) {
        this(rows, config, new Graph(config.m(), config.m0()));
    }

    private HnswIndex(VectorRows rows, HnswConfig config, Graph graph) {
        if (config.traversal() == Traversal.INT8 && !rows.coded()) {
            throw new IllegalArgumentException("These rows have no int8 codes.");
        }
        this.rows = rows;
        this.config = config;
        this.graph = graph;
    }

    /**
     * An index that {@link #writeTo} wrote.
     *
     * @param rows the vectors it was written with, or more
     * @throws NeuralCoreException {@link ErrorCode#DATA_DAMAGED} if it is not what was written,
     *     {@link ErrorCode#VERSION_MISMATCH} if a newer version wrote it
     * @throws IOException if the channel does
     */
    public static HnswIndex readFrom(ReadableByteChannel channel, VectorRows rows)
            throws IOException {
        GraphFile.Read read = GraphFile.read(channel, rows);
        HnswIndex index = new HnswIndex(rows, read.config(), read.graph());
        index.live.set(read.live());
        return index;
    }

    /**
     * Writes the graph, without the vectors. Adding and removing wait meanwhile, searches do not.
     */
    public void writeTo(WritableByteChannel channel) throws IOException {
        synchronized (removing) {
            repair();
            shape.writeLock().lock();
            try {
                GraphFile.write(graph, config, rows.dimension(), live.get(), channel);
            } finally {
                shape.writeLock().unlock();
            }
        }
    }

    public HnswConfig config() {
        return config;
    }

    public VectorRows rows() {
        return rows;
    }

    /** Rows that searches can find. */
    public int size() {
        return live.get();
    }

    public boolean contains(int row) {
        return graph.isLive(row);
    }

    /** Whether a row is in the graph, if only as a stepping stone: then it cannot be added. */
    public boolean holds(int row) {
        return graph.isKnown(row);
    }

    /** Bytes of heap that the links take; the vectors are counted by {@link VectorRows}. */
    public long heapBytes() {
        return graph.heapBytes();
    }

    // ------------------------------------------------------------ adding

    /** Adds a row that has been put into the {@link VectorRows} and is not in the index. */
    public void add(int row) {
        shape.readLock().lock();
        Walker walker = take();
        try {
            insert(walker, row);
        } finally {
            give(walker);
            shape.readLock().unlock();
        }
    }

    /**
     * Adds the rows {@code from} … {@code to} − 1 on several threads. Which links they get then
     * depends on the threads' turns; on one it does not.
     */
    public void addAll(int from, int to, Parallel parallel) {
        if (from >= to) {
            return;
        }
        graph.reserve(to);
        // In the order of their numbers, taken one by one: early nodes are the way to later ones.
        AtomicInteger next = new AtomicInteger(from);
        parallel.run(
                parallel.threads(),
                task -> {
                    for (int row = next.getAndIncrement(); row < to; row = next.getAndIncrement()) {
                        add(row);
                    }
                });
    }

    private void insert(Walker walker, int row) {
        if (graph.isKnown(row)) {
            throw new IllegalArgumentException("Row " + row + " is in the index already.");
        }
        graph.reserve(row + 1);
        live.incrementAndGet();
        int level = levelOf(row);
        if (!graph.hasEntry()) {
            synchronized (entryLock) {
                if (!graph.hasEntry()) {
                    graph.create(row, level);
                    graph.entry(row, level);
                    return;
                }
            }
        }
        long entry = graph.entry();
        rows.snapshot().copy(row, walker.vector, 0);
        walker.walk.begin(walker.vector, 0);
        if (connect(walker, row, level, entry) && level > (int) (entry >>> 32)) {
            synchronized (entryLock) {
                if (!graph.hasEntry() || level > graph.entryLevel()) {
                    graph.entry(row, level);
                }
            }
        }
    }

    /**
     * Chooses the node's own links from the top down, and only then lets others link with it, from
     * below upwards: whoever finds it on a level finds its links on every level beneath.
     *
     * @return false if there is a node with the same vector, on which the row hangs now
     */
    private boolean connect(Walker walker, int row, int level, long entry) {
        Walk walk = walker.walk;
        Linker linker = walker.linker;
        int top = Math.min(level, (int) (entry >>> 32));
        int start = walk.descend(entry, top);
        graph.create(row, level);
        for (int at = top; at >= 0; at--) {
            if (at == top) {
                walk.search(at, start, config.efConstruction());
            } else {
                walk.searchOn(at, config.efConstruction());
            }
            int twin = walker.twinOf(row);
            if (twin >= 0 && graph.hang(row, twin)) {
                return false;
            }
            linker.offerAll(walk.pool, row);
            linker.choose(config.m(), 1);
            synchronized (graph.lock(row)) {
                linker.write(row, at);
            }
        }
        for (int at = 0; at <= top; at++) {
            linkBack(walker, row, at);
        }
        return true;
    }

    private void linkBack(Walker walker, int row, int level) {
        int[] own = walker.own;
        float[] distances = walker.ownDistances;
        int count = graph.copyLinks(row, level, own);
        if (level == 0) {
            graph.copyDistances(row, distances, count);
        }
        for (int i = 0; i < count; i++) {
            float distance = level == 0 ? distances[i] : walker.walk.scorer.between(row, own[i]);
            walker.linker.linkBack(own[i], level, row, distance);
        }
    }

    /** Exponentially rarer with height; from the seed and the row alone. */
    private int levelOf(int row) {
        long mixed = mix(config.seed() + 0x9E3779B97F4A7C15L * (row + 1L));
        double uniform = ((mixed >>> 11) + 1) * 0x1p-53;
        return (int) Math.min(MAX_LEVEL, -Math.log(uniform) / Math.log(config.m()));
    }

    /** The mixing of SplitMix64. */
    private static long mix(long seed) {
        long z = (seed ^ seed >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    // ------------------------------------------------------------ removing

    /** Removes a row; answers whether it was there. */
    public boolean remove(int row) {
        synchronized (removing) {
            if (!graph.isLive(row)) {
                return false;
            }
            live.decrementAndGet();
            if (graph.isTwin(row)) {
                int node = graph.unhang(row);
                limbo.add(new Limbo(row, epoch.incrementAndGet()));
                if (!graph.isLive(node) && !graph.isLinkable(node)) {
                    dead.add(node);
                }
            } else {
                synchronized (graph.lock(row)) {
                    graph.kill(row);
                    if (!graph.isLinkable(row)) {
                        dead.add(row);
                    }
                }
            }
            if (dead.size() >= Math.max(LEAST_REPAIR, live.get() / REPAIR_SHARE)) {
                repair();
            }
            return true;
        }
    }

    /** Takes removed rows out of the graph and closes the gaps. */
    public void repair() {
        synchronized (removing) {
            if (dead.isEmpty()) {
                return;
            }
            shape.writeLock().lock();
            Walker walker = take();
            try {
                new Repair(graph, walker.walk.scorer, walker.linker).run();
                long since = epoch.incrementAndGet();
                for (int row : dead) {
                    graph.forget(row);
                    limbo.add(new Limbo(row, since));
                }
                dead.clear();
            } finally {
                give(walker);
                shape.writeLock().unlock();
            }
        }
    }

    /**
     * Rows whose removal is complete: nothing links with them and no walk of this index stands on
     * one, so that they may be put and added again. Each is answered once. (Who uses answers after
     * the search that gave them makes sure of those rows himself.)
     */
    public int[] takeFreedRows() {
        synchronized (removing) {
            long oldest = Walker.IDLE;
            for (Walker walker : walkers) {
                oldest = Math.min(oldest, walker.since);
            }
            ArrayList<Integer> freed = new ArrayList<>();
            while (!limbo.isEmpty() && limbo.getFirst().epoch() <= oldest) {
                freed.add(limbo.removeFirst().row());
            }
            return freed.stream().mapToInt(Integer::intValue).toArray();
        }
    }

    // ------------------------------------------------------------ searching

    /**
     * The k nearest rows: all rows if there are not more, and never fewer than k while the index
     * holds as many that are accepted.
     *
     * @param query finite values from {@code offset} on
     * @param ef candidates to hold; at least k are
     * @param accept which rows may be found; null for all
     * @param found takes the answer
     */
    public void search(
            float[] query, int offset, int k, int ef, @Nullable RowFilter accept, Found found) {
        found.clear(Math.min(k, live.get() + 1));
        int wanted = Math.min(k, accept == null ? live.get() : Math.min(accept.count(), size()));
        if (wanted == 0) {
            return;
        }
        Walker walker = take();
        try {
            Walk walk = walker.walk;
            // First: where it begins must be among what it sees.
            long entry = graph.entry();
            walk.begin(query, offset);
            int held = Math.max(ef, Math.max(wanted, 1));
            Found.Strategy strategy = plan(accept, held);
            if (strategy == Found.Strategy.GRAPH && entry >= 0) {
                int start = walk.descend(entry, 0);
                if (accept == null) {
                    walk.search(0, start, held);
                } else {
                    walk.searchAccepted(start, held, accept);
                }
                walker.rescorer.answer(walk, graph, accept, wanted, rescored(wanted), true, found);
                if (found.count() < wanted) {
                    strategy = Found.Strategy.EXACT;
                }
            }
            if (strategy == Found.Strategy.EXACT) {
                walk.scan(rescored(wanted), accept);
                found.clear(wanted);
                walker.rescorer.answer(walk, graph, accept, wanted, rescored(wanted), false, found);
            }
            found.explain(strategy, walk.compared);
        } finally {
            give(walker);
        }
    }

    private static int rescored(int k) {
        return Math.max(RESCORED_LEAST, RESCORED_FACTOR * k);
    }

    /** A walk that has to cross what a filter leaves out is soon dearer than comparing with all. */
    private static Found.Strategy plan(@Nullable RowFilter accept, int held) {
        return accept != null && accept.count() <= EXACT_FACTOR * held
                ? Found.Strategy.EXACT
                : Found.Strategy.GRAPH;
    }

    private Walker take() {
        Walker walker = idle.poll();
        if (walker == null) {
            walker = new Walker(graph, rows, config.traversal());
            walkers.add(walker);
        }
        walker.since = epoch.get();
        return walker;
    }

    private void give(Walker walker) {
        walker.since = Walker.IDLE;
        idle.add(walker);
    }
}
