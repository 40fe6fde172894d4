package neuralcore.vectors.hnsw;

import neuralcore.vectors.VectorRows;

/** Distances by the vectors themselves. */
final class FloatScorer extends RowScorer {
    private final boolean product;
    private final HeapRows heap;

    FloatScorer(VectorRows rows) {
        super(rows);
        product = metric.isProduct();
        heap = new HeapRows(dimension);
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
            float[] rowsA = heap.array(from, a, 0);
            float[] rowsB = heap.array(from, b, 1);
            float[] rowsC = heap.array(from, c, 2);
            float[] rowsD = heap.array(from, d, 3);
            int atA = heap.offset(from, a, 0);
            int atB = heap.offset(from, b, 1);
            int atC = heap.offset(from, c, 2);
            int atD = heap.offset(from, d, 3);
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
        float[] rowsA = heap.array(from, a, 0);
        float[] rowsB = heap.array(from, b, 1);
        int atA = heap.offset(from, a, 0);
        int atB = heap.offset(from, b, 1);
        if (!product) {
            return kernels.squaredEuclidean(rowsA, atA, rowsB, atB, dimension);
        }
        return -kernels.dot(rowsA, atA, rowsB, atB, dimension)
                * from.inverseNorm(metric, a)
                * from.inverseNorm(metric, b);
    }
}
