package neuralcore.vectors;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import neuralcore.vectors.hnsw.CodeFitness;
import neuralcore.vectors.hnsw.HnswConfig;
import neuralcore.vectors.hnsw.HnswIndex;
import neuralcore.vectors.hnsw.Traversal;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Builds a collection's graph, and keeps it up to date, in the background, so that no writer waits
 * for it. Rows that it does not have yet are pending in the {@link Table} and are compared one by
 * one by searches; slots that were freed are retired there until the graph has let go of them.
 *
 * <p>Thread-safe. One thread changes the graph at a time, with the help of others.
 */
final class GraphIndexer {
    private static final Logger log = LoggerFactory.getLogger(GraphIndexer.class);

    /** Rows added in one go; closing waits for the end of one. */
    private static final int ROUND_ROWS = 512;

    private final Table table;
    private final HnswConfig config;
    private final int exactBelow;
    private final Parallel builders;
    private final Executor background;
    private final RightOfWay way;
    private final ReentrantLock writing;
    private final Lock exclusive;

    /** Held while the graph is changed or read as a whole. */
    private final ReentrantLock turn = new ReentrantLock();

    private final AtomicBoolean planned = new AtomicBoolean();
    private volatile @Nullable HnswIndex index;
    private volatile boolean ended;
    private volatile boolean failed;

    /** How many rows there were when it was last looked whether their codes will do. */
    private int judged;

    /**
     * @param exactBelow no graph is built for fewer rows
     * @param builders help to add rows
     * @param way of searches, to which it gives way
     * @param writing the lock of the one writer
     * @param exclusive keeps readers of the table away; taken after {@code writing}
     */
    GraphIndexer(
            Table table,
            HnswConfig config,
            int exactBelow,
            Parallel builders,
            Executor background,
            RightOfWay way,
            ReentrantLock writing,
            Lock exclusive) {
        this.table = table;
        this.config = config;
        this.exactBelow = exactBelow;
        this.builders = builders;
        this.background = background;
        this.way = way;
        this.writing = writing;
        this.exclusive = exclusive;
    }

    /** The graph, or null while there is none. */
    @Nullable HnswIndex index() {
        return index;
    }

    HnswConfig config() {
        return config;
    }

    /**
     * Begins with a graph that was read from a file, unless it cannot be brought up to date. Nobody
     * else uses the collection yet.
     *
     * @param touched slots that may hold another row than when the graph was written
     */
    void adopt(HnswIndex read, RoaringBitmap touched) {
        Columns columns = table.columns();
        for (int slot = 0; slot < columns.used(); slot++) {
            if (touched.contains(slot) || !columns.isLive(slot)) {
                read.remove(slot);
            }
        }
        read.repair();
        read.takeFreedRows();
        RoaringBitmap pending = new RoaringBitmap();
        for (int slot = 0; slot < columns.used(); slot++) {
            if (columns.isLive(slot) && !read.contains(slot)) {
                if (read.holds(slot)) {
                    return; // another row's stepping stone; a new graph is simpler than to wait
                }
                pending.add(slot);
            }
        }
        table.reuseOnly(slot -> !read.holds(slot));
        table.beginGraph(pending);
        judged = read.size();
        index = read;
    }

    /** Called after each change, without locks: sees to it that the graph follows. */
    void follow(int count) {
        if ((index != null ? table.hasGraphWork() : count >= exactBelow)
                && !failed
                && !ended
                && planned.compareAndSet(false, true)) {
            background.execute(this::work);
        }
    }

    private void work() {
        try {
            do {
                begin();
                while (!ended && round()) {
                    // until nothing is left
                }
            } while (!ended && wasGivenUp());
        } catch (RuntimeException e) {
            if (!ended) {
                log.error("The graph is given up, and searches are exact", e);
                failed = true;
                index = null;
                exclusively(table::endGraph);
            }
        } finally {
            planned.set(false);
        }
        if (!ended && table.hasGraphWork()) {
            follow(exactBelow);
        }
    }

    private void begin() {
        if (index != null) {
            return;
        }
        turn.lock();
        try {
            int[] slots =
                    exclusively(
                            () -> {
                                RoaringBitmap live = table.columns().live();
                                table.beginGraph(live.clone());
                                return live.toArray();
                            });
            HnswConfig chosen = config;
            if (config.traversal() == Traversal.INT8 && !codesWillDo(slots)) {
                chosen = config.with(Traversal.FLOAT32);
                log.info(
                        "Many rows differ by less than their int8 codes tell: the graph is walked by float32");
            }
            index = new HnswIndex(table.columns().rows(), chosen);
        } finally {
            turn.unlock();
        }
    }

    /** Nobody uses these slots again meanwhile: the graph has not let go of them. */
    private boolean codesWillDo(int[] slots) {
        judged = slots.length;
        return CodeFitness.isGood(
                table.columns().rows(),
                slots,
                () -> {
                    if (ended) {
                        throw new CancellationException("The collection has been closed.");
                    }
                    way.giveWay();
                });
    }

    /**
     * Looks again whether codes will do once there are twice as many rows as when it was looked
     * last; if not, the graph is given up for one that is walked by float32.
     */
    private boolean wasGivenUp() {
        HnswIndex graph = index;
        if (graph == null || graph.config().traversal() != Traversal.INT8) {
            return false;
        }
        turn.lock();
        try {
            int[] slots = exclusively(() -> table.columns().live().toArray());
            if (ended || slots.length < 2 * judged || codesWillDo(slots)) {
                return false;
            }
            exclusively(
                    () -> {
                        free(graph, table.retired());
                        Columns columns = table.columns();
                        for (int slot = 0; slot < columns.used(); slot++) {
                            if (!columns.isLive(slot) && graph.holds(slot)) {
                                table.reuse(slot);
                            }
                        }
                        index = null;
                        table.endGraph();
                    });
            return true;
        } finally {
            turn.unlock();
        }
    }

    /** Takes some rows out and puts some in; answers whether there was anything to do. */
    private boolean round() {
        HnswIndex graph = index;
        if (graph == null) {
            return false;
        }
        turn.lock();
        try {
            List<int[]> work = new ArrayList<>();
            // At once: a slot that is retired is not pending, and what is retired from here on
            // waits for the next round.
            exclusively(
                    () -> {
                        work.add(table.retired());
                        work.add(table.somePending(ROUND_ROWS));
                    });
            int[] retired = work.get(0);
            int[] pending = work.get(1);
            if (ended || (retired.length == 0 && pending.length == 0)) {
                return false;
            }
            free(graph, retired);
            builders.run(
                    pending.length,
                    i -> {
                        way.giveWay();
                        graph.add(pending[i]);
                    });
            exclusively(() -> table.notPending(pending));
            return true;
        } finally {
            turn.unlock();
        }
    }

    /**
     * Takes retired slots out of the graph. Until they all are, they stay retired in the table, by
     * which searches know that the graph may answer with them.
     */
    private void free(HnswIndex graph, int[] retired) {
        List<Integer> free = new ArrayList<>();
        for (int slot : retired) {
            if (!graph.remove(slot)) {
                free.add(slot); // it never got in
            }
        }
        for (int slot : graph.takeFreedRows()) {
            free.add(slot);
        }
        if (retired.length > 0 || !free.isEmpty()) {
            exclusively(
                    () -> {
                        table.notRetired(retired);
                        free.forEach(table::reuse);
                    });
        }
    }

    private void exclusively(Runnable action) {
        exclusively(
                () -> {
                    action.run();
                    return true;
                });
    }

    private <T> T exclusively(Supplier<T> action) {
        writing.lock();
        exclusive.lock();
        try {
            return action.get();
        } finally {
            exclusive.unlock();
            writing.unlock();
        }
    }

    /** Uses the graph while nothing changes it. */
    interface Use {
        /**
         * @param sequence of a change that the graph has seen, with all before it
         */
        void graph(HnswIndex graph, long sequence) throws java.io.IOException;
    }

    /**
     * Hands the graph over if it has every row.
     *
     * @param sequence tells the number of the last change
     */
    void useIfComplete(LongSupplier sequence, Use use) throws java.io.IOException {
        turn.lock();
        try {
            HnswIndex graph = index;
            long last;
            writing.lock();
            try {
                if (graph == null || ended || table.hasGraphWork()) {
                    return;
                }
                last = sequence.getAsLong();
            } finally {
                writing.unlock();
            }
            use.graph(graph, last);
        } finally {
            turn.unlock();
        }
    }

    /** Returns when no thread is at the graph any more, and none will be. */
    void end() {
        ended = true;
        turn.lock();
        turn.unlock();
    }
}
