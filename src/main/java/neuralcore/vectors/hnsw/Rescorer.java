package neuralcore.vectors.hnsw;

import neuralcore.vectors.Metric;
import neuralcore.vectors.RowFilter;
import neuralcore.vectors.Scoring;
import neuralcore.vectors.VectorRows;
import org.jspecify.annotations.Nullable;

/** Compares the best candidates of a walk again, by their float32 values, and answers the best. */
final class Rescorer {
    private final Scoring scoring;
    private final Metric metric;
    private final float[] row;
    private final Pool best = new Pool();

    Rescorer(VectorRows rows) {
        scoring = rows.scoring();
        metric = rows.metric();
        row = new float[rows.dimension()];
    }

    /**
     * @param accept asked again: a walk's start may be a node that it does not accept
     * @param k how many to answer
     * @param most how many nodes to compare
     * @param twins whether the rows that hang on a node are answered with it
     */
    void answer(
            Walk walk,
            Graph graph,
            @Nullable RowFilter accept,
            int k,
            int most,
            boolean twins,
            Found found) {
        Pool pool = walk.pool;
        best.clear(k);
        int compared = 0;
        for (int i = 0; i < pool.size() && compared < most; i++) {
            int node = pool.row(i);
            float distance = distance(walk.scorer, node);
            int answered = offer(graph, accept, node, distance);
            int twin = twins ? graph.firstTwin(node) : -1;
            while (twin >= 0 && answered < k) {
                answered += offer(graph, accept, twin, distance);
                twin = graph.nextTwin(twin);
            }
            compared += Math.min(1, answered);
        }
        for (int i = 0; i < best.size(); i++) {
            found.add(best.row(i), metric.score(-best.distance(i)));
        }
    }

    private int offer(Graph graph, @Nullable RowFilter accept, int row, float distance) {
        if (!graph.isLive(row) || (accept != null && !accept.accepts(row))) {
            return 0;
        }
        if (distance < best.bound() || best.size() < best.capacity()) {
            best.insert(distance, row);
        }
        return 1;
    }

    private float distance(RowScorer scorer, int candidate) {
        VectorRows.Snapshot from = scorer.at;
        float[] array = row;
        int offset = 0;
        if (candidate < from.mappedRows()) {
            from.copy(candidate, row, 0);
        } else {
            array = from.floats(candidate);
            offset = from.floatOffset(candidate);
        }
        float[] query = scorer.query;
        int dimension = scorer.dimension;
        float sum =
                metric.isProduct()
                        ? scorer.kernels.dot(query, 0, array, offset, dimension)
                        : scorer.kernels.squaredEuclidean(query, 0, array, offset, dimension);
        float inverseNorm = from.inverseNorm(metric, candidate);
        return -scoring.nearness(sum, inverseNorm, query, 0, array, offset);
    }
}
