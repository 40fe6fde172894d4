package neuralcore.vectors;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToLongFunction;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/** Compares queries with every row in scope. Stateless; the caller keeps writers away. */
final class ExactSearch {
    private final Columns columns;
    private final Scoring scoring;
    private final Parallel parallel;

    ExactSearch(Columns columns, Scoring scoring, Parallel parallel) {
        this.columns = columns;
        this.scoring = scoring;
        this.parallel = parallel;
    }

    /**
     * The k nearest slots of each query, in float32.
     *
     * @param scope null for all rows
     */
    List<List<Neighbour>> nearest(
            float[] queries, @Nullable RoaringBitmap scope, int inScope, int k) {
        int rows = columns.used();
        IntToLongFunction order;
        if (scope == null) {
            order = slot -> columns.isLive(slot) ? columns.order(slot) : TopKSink.ABSENT;
        } else if (2L * inScope >= rows) {
            // Looking at all and leaving some out is cheaper than gathering most of them.
            order = slot -> scope.contains(slot) ? columns.order(slot) : TopKSink.ABSENT;
        } else {
            return among(queries, scope.toArray(), k);
        }
        ScanRows source = new ScanRows.Stored(columns.rows().snapshot());
        return NearestRows.find(
                scoring, queries, source, rows, order, Math.min(k, inScope), parallel);
    }

    /**
     * The k nearest of some slots, in float32.
     *
     * @param slots in growing order
     */
    List<List<Neighbour>> among(float[] queries, int[] slots, int k) {
        List<List<Neighbour>> found =
                NearestRows.find(
                        scoring,
                        queries,
                        new ScanRows.Chosen(columns.rows().snapshot(), slots),
                        slots.length,
                        place -> columns.order(slots[place]),
                        Math.min(k, slots.length),
                        parallel);
        List<List<Neighbour>> named = new ArrayList<>(found.size());
        for (List<Neighbour> ofQuery : found) {
            named.add(
                    ofQuery.stream()
                            .map(near -> new Neighbour(slots[near.row()], near.score()))
                            .toList());
        }
        return named;
    }

    /**
     * The k nearest slots of each query: every row is compared by its int8 codes, and the best of
     * them again in float32.
     */
    List<List<Neighbour>> nearestByCodes(
            float[] queries, @Nullable RoaringBitmap scope, int inScope, int k) {
        int dimension = scoring.dimension();
        int rescored = Math.min(inScope, CodeScan.rescored(k));
        int[] slots = scope == null || 2L * inScope >= columns.used() ? null : scope.toArray();
        int rows = slots == null ? columns.used() : slots.length;
        CodeScan scan = new CodeScan(columns.rows(), scoring, parallel);
        List<List<Neighbour>> found = new ArrayList<>();
        for (int at = 0; at < queries.length; at += dimension) {
            float[] query = Arrays.copyOfRange(queries, at, at + dimension);
            int[] best =
                    scan.best(
                            query,
                            slots,
                            rows,
                            slot ->
                                    (scope == null
                                                    ? columns.isLive(slot)
                                                    : slots != null || scope.contains(slot))
                                            ? columns.order(slot)
                                            : TopKSink.ABSENT,
                            rescored);
            found.addAll(among(query, best, k));
        }
        return found;
    }
}
