package neuralcore.vectors.hnsw;

import neuralcore.vectors.VectorRows;

/** Distances by the vectors themselves. */
final class FloatScorer extends RowScorer {
    private final boolean product;

    FloatScorer(VectorRows rows) {
        super(rows);
        product = metric.isProduct();
    }

    @Override
    void prepare() {}

    @Override
    void score(int[] ids, int count, float[] out) {
        int padded = pad(ids, count);
        VectorRows.Snapshot from = at;
        for (int i = 0; i < padded; i += 4) {
            int a = ids[i];
            int b = ids[i + 1];
            int c = ids[i + 2];
            int d = ids[i + 3];
            float[] rowsA = from.floats(a);
            float[] rowsB = from.floats(b);
            float[] rowsC = from.floats(c);
            float[] rowsD = from.floats(d);
            int atA = from.floatOffset(a);
            int atB = from.floatOffset(b);
            int atC = from.floatOffset(c);
            int atD = from.floatOffset(d);
            if (product) {
                kernels.dot4(
                        query, 0, rowsA, atA, rowsB, atB, rowsC, atC, rowsD, atD, dimension, out,
                        i);
            } else {
                kernels.squaredEuclidean4(
                        query, 0, rowsA, atA, rowsB, atB, rowsC, atC, rowsD, atD, dimension, out,
                        i);
            }
        }
        if (product) {
            for (int i = 0; i < count; i++) {
                out[i] = -out[i] * from.inverseNorm(metric, ids[i]);
            }
        }
    }

    @Override
    float between(int a, int b) {
        VectorRows.Snapshot from = at;
        float[] rowsA = from.floats(a);
        float[] rowsB = from.floats(b);
        int atA = from.floatOffset(a);
        int atB = from.floatOffset(b);
        if (!product) {
            return kernels.squaredEuclidean(rowsA, atA, rowsB, atB, dimension);
        }
        return -kernels.dot(rowsA, atA, rowsB, atB, dimension)
                * from.inverseNorm(metric, a)
                * from.inverseNorm(metric, b);
    }
}
