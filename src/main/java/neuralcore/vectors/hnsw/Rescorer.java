package neuralcore.vectors.hnsw;

import neuralcore.vectors.Metric;
import neuralcore.vectors.RowFilter;
import neuralcore.vectors.Scoring;
import neuralcore.vectors.VectorRows;
import org.jspecify.annotations.Nullable;

/**
 * Compares the best candidates of a walk again, by their float32 values, and answers the best. Four
 * at a time, so that their memory is waited for together.
 */
final class Rescorer {
    private final Scoring scoring;
    private final Metric metric;
    private final int dimension;
    private final Pool best = new Pool();
    private final HeapRows heap;

    private int[] nodes = new int[64];
    private float[] distances = new float[64];
    private int count;

    Rescorer(VectorRows rows) {
        scoring = rows.scoring();
        metric = rows.metric();
        dimension = rows.dimension();
        heap = new HeapRows(dimension);
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
        choose(walk, graph, accept, most, twins);
        compare(walk.scorer);
        best.clear(k);
        for (int i = 0; i < count; i++) {
            int answered = offer(graph, accept, nodes[i], distances[i]);
            int twin = twins ? graph.firstTwin(nodes[i]) : -1;
            while (twin >= 0 && answered < k) {
                answered += offer(graph, accept, twin, distances[i]);
                twin = graph.nextTwin(twin);
            }
        }
        for (int i = 0; i < best.size(); i++) {
            found.add(best.row(i), metric.score(-best.distance(i)));
        }
    }

    /** The first nodes of the pool that have something to answer. */
    private void choose(
            Walk walk, Graph graph, @Nullable RowFilter accept, int most, boolean twins) {
        Pool pool = walk.pool;
        int room = Math.min(most, pool.size()) + HeapRows.ROWS;
        if (nodes.length < room) {
            nodes = new int[room];
            distances = new float[room];
        }
        count = 0;
        for (int i = 0; i < pool.size() && count < most; i++) {
            int node = pool.row(i);
            if (isAnswer(graph, accept, node) || (twins && graph.firstTwin(node) >= 0)) {
                nodes[count++] = node;
            }
        }
    }

    private static boolean isAnswer(Graph graph, @Nullable RowFilter accept, int row) {
        return graph.isLive(row) && (accept == null || accept.accepts(row));
    }

    private int offer(Graph graph, @Nullable RowFilter accept, int row, float distance) {
        if (!isAnswer(graph, accept, row)) {
            return 0;
        }
        if (distance < best.bound() || best.size() < best.capacity()) {
            best.insert(distance, row);
        }
        return 1;
    }

    private void compare(RowScorer scorer) {
        VectorRows.Snapshot from = scorer.at;
        float[] query = scorer.query;
        if (count == 0) {
            return;
        }
        int padded = RowScorer.pad(nodes, count);
        for (int i = 0; i < padded; i += HeapRows.ROWS) {
            float[] a = heap.array(from, nodes[i], 0);
            float[] b = heap.array(from, nodes[i + 1], 1);
            float[] c = heap.array(from, nodes[i + 2], 2);
            float[] d = heap.array(from, nodes[i + 3], 3);
            int atA = heap.offset(from, nodes[i], 0);
            int atB = heap.offset(from, nodes[i + 1], 1);
            int atC = heap.offset(from, nodes[i + 2], 2);
            int atD = heap.offset(from, nodes[i + 3], 3);
            if (metric.isProduct()) {
                scorer.kernels.dot4(
                        query, 0, a, atA, b, atB, c, atC, d, atD, dimension, distances, i);
            } else {
                scorer.kernels.squaredEuclidean4(
                        query, 0, a, atA, b, atB, c, atC, d, atD, dimension, distances, i);
            }
            distances[i] = distance(from, nodes[i], distances[i], query, a, atA);
            distances[i + 1] = distance(from, nodes[i + 1], distances[i + 1], query, b, atB);
            distances[i + 2] = distance(from, nodes[i + 2], distances[i + 2], query, c, atC);
            distances[i + 3] = distance(from, nodes[i + 3], distances[i + 3], query, d, atD);
        }
    }

    private float distance(
            VectorRows.Snapshot from, int row, float sum, float[] query, float[] array, int at) {
        return -scoring.nearness(sum, from.inverseNorm(metric, row), query, 0, array, at);
    }
}
