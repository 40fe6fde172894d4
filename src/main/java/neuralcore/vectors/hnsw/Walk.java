package neuralcore.vectors.hnsw;

import java.util.Arrays;
import neuralcore.vectors.RowFilter;
import org.jspecify.annotations.Nullable;

/**
 * One thread's way through the graph: the query, the pool of candidates and what has been visited.
 * Made once and used again, so that a search allocates nothing.
 *
 * <p>A node is expanded by one pass over its list that collects the rows not yet visited, and one
 * call that compares all of them with the query, four at a time.
 */
final class Walk {
    private static final int IDLE = -1;

    final Graph graph;
    final RowScorer scorer;
    final Pool pool = new Pool();

    private Graph.Snapshot links;
    private byte[] visited = new byte[0];
    private byte stamp;
    private int[] batch;
    private float[] distances;
    private int[] list;

    /** Written so that what {@link #touchNext} reads is not optimized away. */
    int touched;

    /** Rows compared since {@link #begin}. */
    int compared;

    Walk(Graph graph, RowScorer scorer) {
        this.graph = graph;
        this.scorer = scorer;
        this.links = graph.snapshot();
        this.batch = new int[graph.m0 + 8];
        this.distances = new float[graph.m0 + 8];
        this.list = new int[graph.m0];
    }

    /** Makes these values the query, and sees the graph as it is now. */
    void begin(float[] values, int offset) {
        scorer.begin(values, offset);
        links = graph.snapshot();
        compared = 0;
    }

    /** Nothing visited. */
    private void forgetVisits() {
        int capacity = Math.min(links.capacity(), scorer.at.capacity());
        if (visited.length != capacity) {
            visited = new byte[capacity];
            stamp = 0;
        }
        if (++stamp == 0) {
            Arrays.fill(visited, (byte) 0);
            stamp = 1;
        }
    }

    /** From the top to the level above {@code level}, always to the nearest neighbour. */
    int descend(long entry, int level) {
        int nearest = (int) entry;
        float best = distance(nearest);
        for (int at = (int) (entry >>> 32); at > level; at--) {
            boolean closer = true;
            while (closer) {
                closer = false;
                int count = known(list, graph.copyLinks(nearest, at, list), batch);
                if (count == 0) {
                    break;
                }
                scorer.score(batch, count, distances);
                compared += count;
                for (int i = 0; i < count; i++) {
                    if (distances[i] < best) {
                        best = distances[i];
                        nearest = batch[i];
                        closer = true;
                    }
                }
            }
        }
        return nearest;
    }

    /** Those rows of a list that this walk can look at. */
    private int known(int[] rows, int length, int[] target) {
        int capacity = Math.min(links.capacity(), scorer.at.capacity());
        int count = 0;
        for (int i = 0; i < length; i++) {
            if (rows[i] < capacity) {
                target[count++] = rows[i];
            }
        }
        return count;
    }

    private float distance(int row) {
        batch[0] = row;
        scorer.score(batch, 1, distances);
        compared++;
        return distances[0];
    }

    /** Fills the pool with the nearest nodes of a level, from a first one. */
    void search(int level, int start, int ef) {
        forgetVisits();
        pool.clear(ef);
        visited[start] = stamp;
        pool.insert(distance(start), start);
        expandAll(level);
    }

    /** Goes on from the nodes in the pool, on a lower level. */
    void searchOn(int level, int ef) {
        int[] starts = new int[pool.size()];
        float[] startDistances = new float[starts.length];
        for (int i = 0; i < starts.length; i++) {
            starts[i] = pool.row(i);
            startDistances[i] = pool.distance(i);
        }
        forgetVisits();
        pool.clear(ef);
        for (int i = 0; i < starts.length; i++) {
            visited[starts[i]] = stamp;
            pool.insert(startDistances[i], starts[i]);
        }
        expandAll(level);
    }

    private void expandAll(int level) {
        for (int row = pool.next(); row >= 0; row = pool.next()) {
            int count = level == 0 ? collect(row) : collectUpper(row, level);
            if (count > 0) {
                touchNext();
                scorer.score(batch, count, distances);
                compared += count;
                pool.offer(batch, distances, count);
            }
        }
    }

    /**
     * Reads a word of the list that is likely to be expanded next, so that the memory brings it
     * while the rows of this one are compared.
     */
    private void touchNext() {
        int next = pool.peek();
        if (next >= 0) {
            touched += Graph.links(links, next)[graph.linksAt(next)];
        }
    }

    /** The neighbours on level 0 that have not been visited; marks them. */
    private int collect(int row) {
        int[] rows = Graph.links(links, row);
        int at = graph.linksAt(row);
        int end = at + rows[at];
        byte[] seen = visited;
        int[] target = batch;
        byte now = stamp;
        int count = 0;
        for (int i = at + 1; i <= end; i++) {
            int next = rows[i];
            if (next < seen.length) {
                target[count] = next;
                // Without a branch: which neighbours are new cannot be predicted.
                int change = seen[next] ^ now;
                count += -change >>> 31 | change >>> 31;
                seen[next] = now;
            }
        }
        return count;
    }

    private int collectUpper(int row, int level) {
        int length = known(list, graph.copyLinks(row, level, list), list);
        int count = 0;
        for (int i = 0; i < length; i++) {
            if (visited[list[i]] != stamp) {
                visited[list[i]] = stamp;
                batch[count++] = list[i];
            }
        }
        return count;
    }

    /**
     * {@link #search} on level 0 for accepted nodes only. The pool holds accepted nodes; where a
     * neighbour is not accepted, its own neighbours are looked at in its place, so that the walk
     * crosses what the filter leaves out.
     */
    void searchAccepted(int start, int ef, RowFilter accept) {
        forgetVisits();
        pool.clear(ef);
        visited[start] = stamp;
        // The start is held whatever it is: whoever takes the answer asks the filter again.
        pool.insert(distance(start), start);
        // A list's own rows, and those of one list behind it more than wanted.
        if (batch.length < 3 * graph.m0 + 8) {
            batch = Arrays.copyOf(batch, 3 * graph.m0 + 8);
            distances = Arrays.copyOf(distances, batch.length);
        }
        for (int row = pool.next(); row >= 0; row = pool.next()) {
            int count = collectAccepted(row, accept);
            if (count > 0) {
                scorer.score(batch, count, distances);
                compared += count;
                pool.offer(batch, distances, count);
            }
        }
    }

    private int collectAccepted(int row, RowFilter accept) {
        int[] rows = Graph.links(links, row);
        int at = graph.linksAt(row);
        int length = rows[at];
        int count = 0;
        for (int i = 1; i <= length; i++) {
            int next = rows[at + i];
            if (next >= visited.length || visited[next] == stamp) {
                continue;
            }
            visited[next] = stamp;
            if (accepts(accept, next)) {
                batch[count++] = next;
            } else if (count < graph.m0) {
                count = collectBehind(next, accept, count);
            }
        }
        return count;
    }

    private int collectBehind(int row, RowFilter accept, int before) {
        int[] rows = Graph.links(links, row);
        int at = graph.linksAt(row);
        int length = rows[at];
        int count = before;
        for (int i = 1; i <= length; i++) {
            int next = rows[at + i];
            if (next < visited.length && visited[next] != stamp && accepts(accept, next)) {
                visited[next] = stamp;
                batch[count++] = next;
            }
        }
        return count;
    }

    /** Whether a node or a row that hangs on it is accepted. */
    private boolean accepts(RowFilter accept, int node) {
        boolean accepted = accept.accepts(node);
        for (int twin = graph.firstTwin(node); !accepted && twin >= 0; ) {
            accepted = accept.accepts(twin);
            twin = graph.nextTwin(twin);
        }
        return accepted;
    }

    /** Fills the pool with the nearest of all rows that are accepted, or of all nodes. */
    void scan(int ef, @Nullable RowFilter accept) {
        pool.clear(ef);
        int capacity = Math.min(links.capacity(), scorer.at.capacity());
        int count = 0;
        int full = Math.max(4, graph.m0 & -4);
        for (int row = nextRow(0, accept); row != IDLE && row < capacity; ) {
            if (graph.isLive(row)) {
                batch[count++] = row;
                if (count == full) {
                    offerBatch(count);
                    count = 0;
                }
            }
            row = nextRow(row + 1, accept);
        }
        if (count > 0) {
            offerBatch(count);
        }
    }

    private static int nextRow(int row, @Nullable RowFilter accept) {
        return accept == null ? row : accept.next(row);
    }

    private void offerBatch(int count) {
        scorer.score(batch, count, distances);
        compared += count;
        pool.offer(batch, distances, count);
    }
}
