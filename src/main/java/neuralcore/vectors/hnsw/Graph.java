package neuralcore.vectors.hnsw;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The links of all nodes, in chunks by row number. A node's list is its length and then the rows it
 * is linked with; on level 0 the distance to each is kept too, so that a list need not be compared
 * anew when it overflows.
 *
 * <p><b>Concurrency.</b> Readers take a {@link Snapshot} and never wait. A list is written under
 * {@link #lock}, rows before the length that covers them. Who reads a list meanwhile may see a
 * mixture of its old and its new links, all of them nodes; a node beyond the snapshot's capacity is
 * passed over.
 */
final class Graph {
    private static final int CHUNK_SHIFT = 12;
    private static final int CHUNK_ROWS = 1 << CHUNK_SHIFT;
    private static final int CHUNK_MASK = CHUNK_ROWS - 1;
    private static final int LOCKS = 1024;
    private static final byte TWIN = Byte.MAX_VALUE;
    private static final VarHandle INTS = MethodHandles.arrayElementVarHandle(int[].class);

    final int m;
    final int m0;
    private final int stride;
    private final Object[] locks = new Object[LOCKS];
    private volatile Snapshot snapshot = new Snapshot(new Chunk[0]);

    /** Level and row of where every search begins; negative if there is none. */
    private volatile long entry = -1;

    /** What is kept for the rows of a chunk. */
    private static final class Chunk {
        /** Level 0: the length of a list, then its rows. */
        final int[] links;

        /** The distance of each link of level 0, without the place of the length. */
        final float[] distances;

        /** Level 1 and above: lists one after the other, a level m + 1 places. */
        final int[] @Nullable [] upper = new int[CHUNK_ROWS][];

        /**
         * 0 where there is no node, else its level + 1, negative where it has been removed; {@link
         * #TWIN} where a row hangs on a node with the same vector.
         */
        final byte[] states = new byte[CHUNK_ROWS];

        /** How many lists of level 0 hold the node. */
        final int[] inDegrees = new int[CHUNK_ROWS];

        /** 1 + the first twin of a node, 1 + the next twin of a twin; 0 if there is none. */
        final int[] twins = new int[CHUNK_ROWS];

        Chunk(int stride) {
            links = new int[CHUNK_ROWS * stride];
            distances = new float[CHUNK_ROWS * (stride - 1)];
        }
    }

    /** The chunks that were there at a moment. */
    record Snapshot(Chunk[] chunks) {
        int capacity() {
            return chunks.length << CHUNK_SHIFT;
        }
    }

    Graph(int m, int m0) {
        this.m = m;
        this.m0 = m0;
        this.stride = m0 + 1;
        Arrays.setAll(locks, i -> new Object());
    }

    Snapshot snapshot() {
        return snapshot;
    }

    int capacity() {
        return snapshot.capacity();
    }

    synchronized void reserve(int rows) {
        Chunk[] now = snapshot.chunks;
        int wanted = (rows + CHUNK_MASK) >>> CHUNK_SHIFT;
        if (wanted > now.length) {
            Chunk[] grown = Arrays.copyOf(now, wanted);
            for (int i = now.length; i < wanted; i++) {
                grown[i] = new Chunk(stride);
            }
            snapshot = new Snapshot(grown);
        }
    }

    private Chunk chunk(int row) {
        return snapshot.chunks[row >>> CHUNK_SHIFT];
    }

    /** To be held while a node's lists are written; never two at a time. */
    Object lock(int row) {
        return locks[row & LOCKS - 1];
    }

    // ------------------------------------------------------------ nodes

    /** The level of a node, also of a removed one that is still linked; −1 if there is none. */
    int level(int row) {
        int state = state(row);
        return state == TWIN ? -1 : Math.abs(state) - 1;
    }

    /** Whether searches may answer with a row. */
    boolean isLive(int row) {
        return state(row) > 0;
    }

    /** Whether a node may be linked with: it is alive, or others with its vector are. */
    boolean isLinkable(int row) {
        int state = state(row);
        return state > 0 ? state != TWIN : state < 0 && firstTwin(row) >= 0;
    }

    /** Whether a row has been added and not been forgotten. */
    boolean isKnown(int row) {
        return state(row) != 0;
    }

    boolean isTwin(int row) {
        return state(row) == TWIN;
    }

    /** The last row that {@link #isKnown}, −1 if there is none. */
    int lastKnown() {
        int row = capacity() - 1;
        while (row >= 0 && !isKnown(row)) {
            row--;
        }
        return row;
    }

    private int state(int row) {
        Chunk[] chunks = snapshot.chunks;
        int chunk = row >>> CHUNK_SHIFT;
        return chunk < chunks.length ? chunks[chunk].states[row & CHUNK_MASK] : 0;
    }

    /** Makes a node without links. */
    void create(int row, int level) {
        Chunk chunk = chunk(row);
        int at = row & CHUNK_MASK;
        chunk.upper[at] = level == 0 ? null : new int[level * (m + 1)];
        INTS.setRelease(chunk.links, at * stride, 0);
        INTS.setRelease(chunk.twins, at, 0);
        chunk.states[at] = (byte) (level + 1);
    }

    /** Marks a node as removed. */
    void kill(int row) {
        byte[] states = chunk(row).states;
        states[row & CHUNK_MASK] = (byte) -Math.abs(states[row & CHUNK_MASK]);
    }

    /** Forgets a row that nothing leads to any more. Its links stay for walks that are there. */
    void forget(int row) {
        chunk(row).states[row & CHUNK_MASK] = 0;
    }

    // ------------------------------------------------------------ twins

    /** The first row that hangs on a node, −1 if there is none. */
    int firstTwin(int row) {
        return (int) INTS.getAcquire(chunk(row).twins, row & CHUNK_MASK) - 1;
    }

    /** The one after it. */
    int nextTwin(int twin) {
        return firstTwin(twin);
    }

    /**
     * Hangs a row on a node that has the same vector. Copies of one vector are one node, so that
     * thousands of them neither fill the lists nor a search's pool.
     *
     * @return whether it could be; not if the node is about to be forgotten
     */
    boolean hang(int row, int node) {
        synchronized (lock(node)) {
            if (!isLinkable(node)) {
                return false;
            }
            create(row, 0);
            Chunk chunk = chunk(row);
            int at = row & CHUNK_MASK;
            chunk.states[at] = TWIN;
            chunk.links[at * stride + 1] = node;
            setTwin(row, firstTwin(node));
            setTwin(node, row);
            return true;
        }
    }

    /** The node that a twin hangs on. */
    int nodeOf(int twin) {
        return chunk(twin).links[linksAt(twin) + 1];
    }

    /** Takes a twin off its node, and forgets it; answers the node. */
    int unhang(int twin) {
        int node = nodeOf(twin);
        synchronized (lock(node)) {
            int before = node;
            while (firstTwin(before) != twin) {
                before = firstTwin(before);
            }
            setTwin(before, nextTwin(twin));
            forget(twin);
        }
        return node;
    }

    private void setTwin(int row, int twin) {
        INTS.setRelease(chunk(row).twins, row & CHUNK_MASK, twin + 1);
    }

    // ------------------------------------------------------------ where searches begin

    boolean hasEntry() {
        return entry >= 0;
    }

    int entryRow() {
        return (int) entry;
    }

    int entryLevel() {
        return (int) (entry >>> 32);
    }

    long entry() {
        return entry;
    }

    void entry(int row, int level) {
        entry = (long) level << 32 | row;
    }

    void noEntry() {
        entry = -1;
    }

    // ------------------------------------------------------------ level 0, by walks

    /** The array that holds a node's list of level 0 … */
    static int[] links(Snapshot from, int row) {
        return from.chunks[row >>> CHUNK_SHIFT].links;
    }

    /** … where in it the list's length stands, and its rows behind. */
    int linksAt(int row) {
        return (row & CHUNK_MASK) * stride;
    }

    // ------------------------------------------------------------ lists of any level

    /** Copies a list; answers its length. */
    int copyLinks(int row, int level, int[] target) {
        int[] list = list(row, level);
        if (list == null) {
            return 0;
        }
        int at = listAt(row, level);
        int length = (int) INTS.getAcquire(list, at);
        System.arraycopy(list, at + 1, target, 0, length);
        return length;
    }

    /** The distances of a list of level 0. */
    void copyDistances(int row, float[] target, int length) {
        System.arraycopy(chunk(row).distances, (row & CHUNK_MASK) * m0, target, 0, length);
    }

    int limit(int level) {
        return level == 0 ? m0 : m;
    }

    /** Replaces a list. Hold the lock. */
    void setLinks(int row, int level, int[] rows, float[] distances, int length) {
        int[] list = listOf(row, level);
        int at = listAt(row, level);
        if (level == 0) {
            int before = list[at];
            for (int i = 1; i <= before; i++) {
                countIn(list[at + i], -1);
            }
            System.arraycopy(distances, 0, chunk(row).distances, (row & CHUNK_MASK) * m0, length);
        }
        // Shorter first, so that no walk sees rows of before under a length of now.
        if (length < list[at]) {
            INTS.setRelease(list, at, length);
        }
        System.arraycopy(rows, 0, list, at + 1, length);
        INTS.setRelease(list, at, length);
        if (level == 0) {
            for (int i = 0; i < length; i++) {
                countIn(rows[i], 1);
            }
        }
    }

    /** Whether a list holds a row. Hold the lock. */
    boolean holds(int row, int level, int target) {
        int[] list = listOf(row, level);
        int at = listAt(row, level);
        for (int i = at + 1; i <= at + list[at]; i++) {
            if (list[i] == target) {
                return true;
            }
        }
        return false;
    }

    /**
     * Adds a link at the end of a list that has room; answers false if it has none. Hold the lock.
     */
    boolean append(int row, int level, int target, float distance) {
        int[] list = listOf(row, level);
        int at = listAt(row, level);
        int length = list[at];
        if (length >= limit(level)) {
            return false;
        }
        list[at + 1 + length] = target;
        if (level == 0) {
            chunk(row).distances[(row & CHUNK_MASK) * m0 + length] = distance;
            countIn(target, 1);
        }
        INTS.setRelease(list, at, length + 1);
        return true;
    }

    /** How many lists of level 0 hold a node. */
    int inDegree(int row) {
        return (int) INTS.getOpaque(chunk(row).inDegrees, row & CHUNK_MASK);
    }

    private void countIn(int row, int change) {
        INTS.getAndAdd(chunk(row).inDegrees, row & CHUNK_MASK, change);
    }

    private int[] listOf(int row, int level) {
        int[] list = list(row, level);
        if (list == null) {
            throw new IllegalStateException("Node " + row + " has no level " + level + ".");
        }
        return list;
    }

    private int @Nullable [] list(int row, int level) {
        Chunk chunk = chunk(row);
        return level == 0 ? chunk.links : chunk.upper[row & CHUNK_MASK];
    }

    private int listAt(int row, int level) {
        return level == 0 ? linksAt(row) : (level - 1) * (m + 1);
    }

    /** Bytes of heap. */
    long heapBytes() {
        long bytes = 0;
        for (Chunk chunk : snapshot.chunks) {
            bytes += 4L * (chunk.links.length + chunk.distances.length) + CHUNK_ROWS * 13L;
            for (int[] upper : chunk.upper) {
                bytes += upper == null ? 0 : 16 + 4L * upper.length;
            }
        }
        return bytes;
    }
}
