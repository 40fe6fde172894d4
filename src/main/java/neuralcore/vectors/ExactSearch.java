package neuralcore.vectors;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToLongFunction;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/**
 * Compares queries with every row in scope. For one search, on one thread; the caller keeps writers
 * away.
 */
final class ExactSearch {
    /** Of candidates so many are compared first, which leaves out most of the others. */
    private static final int FIRST_COMPARED = 32;

    private final Columns columns;
    private final Scoring scoring;
    private final Parallel parallel;

    private long comparedAgain;

    ExactSearch(Columns columns, Scoring scoring, Parallel parallel) {
        this.columns = columns;
        this.scoring = scoring;
        this.parallel = parallel;
    }

    /** Rows that were compared by their codes and then in float32. */
    long comparedAgain() {
        return comparedAgain;
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
     * The same answer as {@link #nearest}, for little memory read: every row is compared by its
     * int8 codes, and only those that may be among the nearest in float32. A query for which that
     * would be too many is compared with all.
     */
    List<List<Neighbour>> nearestByCodes(
            float[] queries, @Nullable RoaringBitmap scope, int inScope, int k) {
        int dimension = scoring.dimension();
        int wanted = Math.min(k, inScope);
        int[] slots = scope == null || 2L * inScope >= columns.used() ? null : scope.toArray();
        int rows = slots == null ? columns.used() : slots.length;
        IntToLongFunction order =
                slot ->
                        (scope == null
                                        ? columns.isLive(slot)
                                        : slots != null || scope.contains(slot))
                                ? columns.order(slot)
                                : TopKSink.ABSENT;
        CodeScan scan = new CodeScan(columns.rows(), scoring, parallel);
        List<List<Neighbour>> found = new ArrayList<>();
        for (int at = 0; at < queries.length; at += dimension) {
            float[] query = Arrays.copyOfRange(queries, at, at + dimension);
            CodeQuery coded =
                    new CodeQuery(
                            scoring,
                            scoring.metric() == Metric.COSINE ? scoring.unitRows(query) : query);
            Candidates candidates = scan.candidates(coded, slots, rows, order, wanted);
            if (candidates == null) {
                comparedAgain += inScope;
                found.addAll(nearest(query, scope, inScope, k));
            } else {
                found.add(nearestOf(candidates, coded, query, wanted));
            }
        }
        return found;
    }

    /** Compares the most promising candidates; then those that still may be nearer. */
    private List<Neighbour> nearestOf(
            Candidates candidates, CodeQuery coded, float[] query, int k) {
        int[] best = candidates.best(Math.max(FIRST_COMPARED, 2 * k));
        List<Neighbour> found = among(query, best, k).getFirst();
        comparedAgain += best.length;
        if (best.length < candidates.size()) {
            candidates.dropBelow(coded.ofScore(scoring.metric(), found.get(k - 1).score()));
            int[] rest = candidates.best(candidates.size());
            comparedAgain += rest.length;
            found = among(query, rest, k).getFirst();
        }
        return found;
    }
}
