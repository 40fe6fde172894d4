package neuralcore.vectors.hnsw;

import java.util.Arrays;

/** What a search found; to be reused, so that searches allocate nothing. Not thread-safe. */
public final class Found {
    /** How an answer was made. */
    public enum Strategy {
        /** By walking the graph. */
        GRAPH,
        /** By comparing with all rows that a filter accepts. */
        EXACT
    }

    private int[] rows = new int[16];
    private float[] scores = new float[16];
    private int count;
    private int visited;
    private Strategy strategy = Strategy.GRAPH;

    /** Rows found. */
    public int count() {
        return count;
    }

    /** The row of rank i, the nearest first. */
    public int row(int rank) {
        return rows[rank];
    }

    /** Its score by the index's metric. */
    public float score(int rank) {
        return scores[rank];
    }

    /** Rows that the query was compared with. */
    public int visited() {
        return visited;
    }

    public Strategy strategy() {
        return strategy;
    }

    void clear(int room) {
        count = 0;
        visited = 0;
        strategy = Strategy.GRAPH;
        if (rows.length < room) {
            rows = Arrays.copyOf(rows, room);
            scores = Arrays.copyOf(scores, room);
        }
    }

    void add(int row, float score) {
        rows[count] = row;
        scores[count++] = score;
    }

    void explain(Strategy how, int compared) {
        strategy = how;
        visited = compared;
    }
}
