package neuralcore.vectors.hnsw;

import neuralcore.vectors.VectorRows;

/**
 * Up to four rows as arrays, for kernels that read arrays: those that lie in a mapped file are
 * copied. For one thread.
 */
final class HeapRows {
    static final int ROWS = 4;

    private final int dimension;
    private final float[] copies;

    HeapRows(int dimension) {
        this.dimension = dimension;
        this.copies = new float[ROWS * dimension];
    }

    /**
     * The array that holds a row's values …
     *
     * @param place which of the four it is
     */
    float[] array(VectorRows.Snapshot from, int row, int place) {
        if (!from.isMapped(row)) {
            return from.floats(row);
        }
        from.copy(row, copies, place * dimension);
        return copies;
    }

    /** … and where in it they begin. */
    int offset(VectorRows.Snapshot from, int row, int place) {
        return from.isMapped(row) ? place * dimension : from.floatOffset(row);
    }
}
