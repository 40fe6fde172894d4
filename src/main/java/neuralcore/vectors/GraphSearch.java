package neuralcore.vectors;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import neuralcore.vectors.hnsw.Found;
import neuralcore.vectors.hnsw.HnswIndex;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/**
 * Searches the graph, and beside it the rows that it does not have yet. Stateless; the caller keeps
 * writers of the table away, the graph may change.
 */
final class GraphSearch {
    private static final ThreadLocal<Found> FOUND = ThreadLocal.withInitial(Found::new);

    private final Table table;
    private final Metric metric;
    private final HnswIndex graph;
    private final ExactSearch exact;
    private final Parallel parallel;
    private final AtomicLong visited = new AtomicLong();

    GraphSearch(Table table, Metric metric, HnswIndex graph, ExactSearch exact, Parallel parallel) {
        this.table = table;
        this.metric = metric;
        this.graph = graph;
        this.exact = exact;
        this.parallel = parallel;
    }

    /** Rows compared so far. */
    long visited() {
        return visited.get();
    }

    /**
     * The k nearest slots of each query.
     *
     * @param scope null for all rows
     * @param breadth candidates that the graph keeps in sight
     */
    List<List<Neighbour>> nearest(
            float[] queries, @Nullable RoaringBitmap scope, int inScope, int k, int breadth) {
        int dimension = table.columns().rows().dimension();
        int count = queries.length / dimension;
        int wanted = Math.min(k, inScope);
        RoaringBitmap pending = table.pending();
        int[] rest = new int[0];
        if (pending != null && !pending.isEmpty()) {
            rest = (scope == null ? pending : RoaringBitmap.and(pending, scope)).toArray();
        }
        // The graph may have rows that are no longer in use.
        RowFilter accepted =
                scope != null
                        ? bits(scope)
                        : table.hasRetired() ? bits(table.columns().live()) : null;
        List<Neighbour>[] found = lists(count);
        parallel.run(
                count,
                i -> {
                    found[i] = walk(queries, i * dimension, wanted, breadth, accepted);
                });
        List<List<Neighbour>> beside =
                rest.length == 0 ? List.of() : exact.among(queries, rest, wanted);
        visited.addAndGet((long) rest.length * count);
        List<List<Neighbour>> merged = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            merged.add(merge(found[i], beside.isEmpty() ? List.of() : beside.get(i), wanted));
        }
        return merged;
    }

    @SuppressWarnings({"unchecked", "rawtypes"}) // there are no arrays of generics
    private static List<Neighbour>[] lists(int count) {
        return new List[count];
    }

    private static RowBits bits(RoaringBitmap slots) {
        RowBits bits = new RowBits(slots.isEmpty() ? 0 : slots.last() + 1);
        slots.forEach((int slot) -> bits.add(slot));
        return bits;
    }

    private List<Neighbour> walk(
            float[] queries, int offset, int k, int breadth, @Nullable RowFilter accepted) {
        Found found = FOUND.get();
        graph.search(queries, offset, k, breadth, accepted, found);
        visited.addAndGet(found.visited());
        List<Neighbour> neighbours = new ArrayList<>(found.count());
        for (int i = 0; i < found.count(); i++) {
            neighbours.add(new Neighbour(found.row(i), found.score(i)));
        }
        return neighbours;
    }

    private List<Neighbour> merge(List<Neighbour> a, List<Neighbour> b, int k) {
        List<Neighbour> all = new ArrayList<>(a);
        for (Neighbour near : b) {
            // A row may have got into the graph just now, and still be pending.
            if (a.stream().noneMatch(other -> other.row() == near.row())) {
                all.add(near);
            }
        }
        Comparator<Neighbour> byScore =
                (x, y) ->
                        metric.higherIsNearer()
                                ? Float.compare(y.score(), x.score())
                                : Float.compare(x.score(), y.score());
        all.sort(byScore.thenComparingLong(near -> table.columns().order(near.row())));
        return all.size() > k ? all.subList(0, k) : all;
    }
}
