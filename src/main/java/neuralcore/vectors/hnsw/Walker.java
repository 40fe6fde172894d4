package neuralcore.vectors.hnsw;

import neuralcore.vectors.VectorRows;

/** What a thread needs for a search or an insertion. */
final class Walker {
    static final long IDLE = Long.MAX_VALUE;

    /** Candidates that may be the same as a new row; with codes, the nearest need not be first. */
    private static final int TWINS_TRIED = 3;

    final Walk walk;
    final Linker linker;
    final Rescorer rescorer;
    final float[] vector;
    final int[] own;
    final float[] ownDistances;

    /** The index's epoch when this began what it does; {@link #IDLE} while it does nothing. */
    volatile long since = IDLE;

    Walker(Graph graph, VectorRows rows, Traversal traversal) {
        RowScorer scorer = RowScorer.of(rows, traversal);
        this.walk = new Walk(graph, scorer);
        this.linker = new Linker(graph, scorer);
        this.rescorer = new Rescorer(rows);
        this.vector = new float[rows.dimension()];
        this.own = new int[graph.m0];
        this.ownDistances = new float[graph.m0];
    }

    /** A node in the pool with exactly this row's vector, −1 if there is none. */
    int twinOf(int row) {
        Pool pool = walk.pool;
        VectorRows.Snapshot from = walk.scorer.at;
        for (int i = 0; i < pool.size() && i < TWINS_TRIED; i++) {
            int candidate = pool.row(i);
            if (walk.graph.isLinkable(candidate) && from.isEqual(candidate, vector)) {
                return candidate;
            }
        }
        return -1;
    }
}
