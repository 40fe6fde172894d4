package neuralcore.vectors.hnsw;

import neuralcore.vectors.Metric;
import neuralcore.vectors.Scoring;
import neuralcore.vectors.VectorRows;
import neuralcore.vectors.simd.Kernels;

/**
 * Distances from a query to rows, and between rows: numbers that grow with distance by the metric.
 * One for each thread: it holds the query.
 */
abstract sealed class RowScorer permits CodeScorer, FloatScorer {
    final VectorRows rows;
    final Scoring scoring;
    final Kernels kernels;
    final Metric metric;
    final int dimension;

    /** The query as float32; of length 1 where the metric is cosine. */
    final float[] query;

    VectorRows.Snapshot at;

    RowScorer(VectorRows rows) {
        this.rows = rows;
        this.scoring = rows.scoring();
        this.kernels = rows.kernels();
        this.metric = rows.metric();
        this.dimension = rows.dimension();
        this.query = new float[dimension];
        this.at = rows.snapshot();
    }

    static RowScorer of(VectorRows rows, Traversal traversal) {
        return switch (traversal) {
            case INT8 -> new CodeScorer(rows);
            case FLOAT32 -> new FloatScorer(rows);
        };
    }

    /** Makes these values the query, and sees all rows that are there now. */
    final void begin(float[] values, int offset) {
        at = rows.snapshot();
        if (metric == Metric.COSINE) {
            scoring.unitRow(values, offset, query, 0);
        } else {
            System.arraycopy(values, offset, query, 0, dimension);
        }
        prepare();
    }

    /** What an implementation makes from {@link #query}. */
    abstract void prepare();

    /**
     * Distances from the query to rows.
     *
     * @param ids has room for three more than {@code count}; they are overwritten
     * @param out takes the distances; has as much room
     */
    abstract void score(int[] ids, int count, float[] out);

    /** The distance between two rows. */
    abstract float between(int a, int b);

    /** Repeats the last id until there are whole fours. */
    static int pad(int[] ids, int count) {
        int padded = count + 3 & -4;
        for (int i = count; i < padded; i++) {
            ids[i] = ids[count - 1];
        }
        return padded;
    }
}
