package neuralcore.vectors;

import java.util.ArrayList;
import java.util.List;
import neuralcore.vectors.Plan.Strategy;
import neuralcore.vectors.hnsw.HnswIndex;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/**
 * Searches a table by the way that the counted scope calls for: the same rows in scope, the same
 * way, however the scope was written. Stateless; the caller keeps writers away.
 */
final class CollectionSearch {
    /** A graph that misses more than this share of the rows is not worth asking: one in … */
    private static final int LARGEST_PENDING_SHARE = 8;

    /** Rows from which on comparing codes first is faster than comparing all in float32. */
    private static final int CODES_FROM_ROWS = 2_048;

    /** Queries from which on the product of matrices is faster than anything else exact. */
    private static final int PRODUCT_QUERIES = 16;

    /** Up to here the kernels' errors are known, on which the bounds of codes rest. */
    private static final int LARGEST_CODED_DIMENSION = 4_096;

    /** For more neighbours than one row in so many, most rows would be compared twice. */
    private static final int LEAST_ROWS_A_NEIGHBOUR = 32;

    /** Multiplications of codes that take about a tenth of a millisecond. */
    private static final long QUICK_WORK = 1 << 22;

    /**
     * Rows that a graph compares for each candidate that it keeps in sight, about; each counts
     * fourfold, for they lie here and there in memory.
     */
    private static final int ROWS_A_CANDIDATE = 4 * 16;

    private final Table table;
    private final Metric metric;
    private final @Nullable HnswIndex graph;
    private final int exactBelow;
    private final long answerBytes;
    private final ExactSearch exact;
    private final Parallel parallel;

    /**
     * @param graph may miss pending rows and have retired ones; null if there is none
     * @param exactBelow collections with fewer rows are not searched by the graph
     * @param answerBytes what rows may take of an answer, with all that is kept with them
     */
    CollectionSearch(
            Table table,
            Scoring scoring,
            @Nullable HnswIndex graph,
            int exactBelow,
            long answerBytes,
            Parallel parallel) {
        this.table = table;
        this.metric = scoring.metric();
        this.graph = graph;
        this.exactBelow = exactBelow;
        this.answerBytes = answerBytes;
        this.parallel = parallel;
        this.exact = new ExactSearch(table.columns(), scoring, parallel);
    }

    Found search(Query query) {
        RoaringBitmap scope = isEverything(query.scope()) ? null : table.find(query.scope());
        int live = table.count();
        int inScope = scope == null ? live : scope.getCardinality();
        int queries = query.vectors().length / query.dimension();
        long scanned = (long) queries * inScope;
        Strategy strategy = strategy(query, queries, inScope, live);
        return switch (strategy) {
            case NOTHING ->
                    new Found(
                            new ArrayList<>(java.util.Collections.nCopies(queries, List.of())),
                            0,
                            new Plan(strategy, 0, live, 0, 0, 0));
            case EXACT ->
                    found(
                            query,
                            exact.nearest(query.vectors(), scope, inScope, query.k()),
                            new Plan(strategy, inScope, live, scanned, 0, 0));
            case EXACT_INT8 -> {
                List<List<Neighbour>> found =
                        exact.nearestByCodes(query.vectors(), scope, inScope, query.k());
                long again = exact.comparedAgain();
                yield found(query, found, new Plan(strategy, inScope, live, scanned, again, 0));
            }
            case GRAPH -> byGraph(query, scope, inScope, live);
        };
    }

    /** Whether a search takes no more than about a tenth of a millisecond on one thread. */
    boolean isQuick(Query query) {
        if (query.vectors().length != query.dimension() || !isEverything(query.scope())) {
            return false;
        }
        int live = table.count();
        long compared =
                switch (strategy(query, 1, live, live)) {
                    case NOTHING -> 0;
                    case EXACT_INT8 -> live;
                    // Four times the memory to read.
                    case EXACT -> 4L * live;
                    case GRAPH ->
                            table.hasRetired() || pendingRows() > 0
                                    ? Integer.MAX_VALUE
                                    : (long) ROWS_A_CANDIDATE * Math.max(query.k(), breadth(query));
                };
        return compared * query.dimension() <= QUICK_WORK;
    }

    private Strategy strategy(Query query, int queries, int inScope, int live) {
        if (inScope == 0 || queries == 0) {
            return Strategy.NOTHING;
        }
        RoaringBitmap pending = table.pending();
        if (!query.exact()
                && graph != null
                && pending != null
                && live >= exactBelow
                && query.k() <= inScope / 2
                && (long) pending.getCardinality() * LARGEST_PENDING_SHARE <= live) {
            return Strategy.GRAPH;
        }
        boolean codes =
                table.columns().rows().coded()
                        && inScope >= CODES_FROM_ROWS
                        && queries < PRODUCT_QUERIES
                        && query.dimension() <= LARGEST_CODED_DIMENSION
                        && query.k() <= inScope / LEAST_ROWS_A_NEIGHBOUR;
        return codes ? Strategy.EXACT_INT8 : Strategy.EXACT;
    }

    private Found byGraph(Query query, @Nullable RoaringBitmap scope, int inScope, int live) {
        HnswIndex used = graph;
        if (used == null) {
            throw new IllegalStateException("there is no graph");
        }
        GraphSearch search = new GraphSearch(table, metric, used, exact, parallel);
        List<List<Neighbour>> found =
                search.nearest(query.vectors(), scope, inScope, query.k(), breadth(query));
        int wanted = Math.min(query.k(), inScope);
        if (found.stream().anyMatch(ofQuery -> ofQuery.size() < wanted)) {
            found = exact.nearest(query.vectors(), scope, inScope, query.k());
        }
        return found(
                query,
                found,
                new Plan(Strategy.GRAPH, inScope, live, search.visited(), 0, pendingRows()));
    }

    private int pendingRows() {
        RoaringBitmap pending = table.pending();
        return pending == null ? 0 : pending.getCardinality();
    }

    private int breadth(Query query) {
        return query.breadth() > 0 || graph == null ? query.breadth() : graph.config().efSearch();
    }

    /** Whether a scope holds all rows, so that nothing must be counted. */
    private boolean isEverything(Scope scope) {
        if (scope.filter() != null || scope.allowed() != null) {
            return false;
        }
        int number = table.columns().namespaceNumberOrNone(scope.namespace());
        return scope.namespace().equals(Scope.EVERYWHERE)
                || table.namespaces().live(number).getCardinality() == table.count();
    }

    private Found found(Query query, List<List<Neighbour>> found, Plan plan) {
        Columns columns = table.columns();
        List<List<Hit>> hits = new ArrayList<>(found.size());
        int complete = 0;
        long bytes = 0;
        for (List<Neighbour> neighbours : found) {
            List<Hit> ofQuery = new ArrayList<>(neighbours.size());
            for (Neighbour neighbour : neighbours) {
                if (isWithin(neighbour.score(), query.limit())) {
                    int slot = neighbour.row();
                    if (query.metadataToo() || query.vectorsToo()) {
                        bytes += AnswerRoom.bytes(columns, slot, query.vectorsToo());
                    }
                    boolean fits = bytes <= answerBytes;
                    complete += fits ? 1 : 0;
                    StoredRow row = columns.row(slot, fits && query.vectorsToo());
                    ofQuery.add(new Hit(row, neighbour.score()));
                }
            }
            hits.add(ofQuery);
        }
        return new Found(hits, complete, plan);
    }

    private boolean isWithin(float score, @Nullable Float limit) {
        return limit == null || metric.reaches(score, limit);
    }
}
