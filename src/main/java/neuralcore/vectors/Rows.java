package neuralcore.vectors;

import java.util.Arrays;

/**
 * Rows of floats, numbered from 0, in chunks of about 4 MiB: growing never copies more than one
 * chunk, and no array gets so large that the heap cannot place it.
 *
 * <p>Not thread-safe; whoever owns it keeps writers and readers apart.
 */
final class Rows {
    private static final int CHUNK_ELEMENTS = 1 << 20;
    private static final int SMALLEST_CHUNK_ROWS = 16;

    private final int dimension;
    private final int chunkRows;
    private float[][] chunks;
    private int capacity;

    /** None yet. */
    Rows(int dimension) {
        this(dimension, Math.max(1, Integer.highestOneBit(CHUNK_ELEMENTS / dimension)));
    }

    private Rows(int dimension, int chunkRows) {
        this.dimension = dimension;
        this.chunkRows = chunkRows;
        this.chunks = new float[0][];
    }

    /** A view of rows that stand in one array. */
    static Rows wrap(float[] data, int dimension) {
        int count = data.length / dimension;
        Rows rows = new Rows(dimension, Math.max(1, count));
        rows.chunks = new float[][] {data};
        rows.capacity = count;
        return rows;
    }

    int dimension() {
        return dimension;
    }

    /** Rows there is room for. */
    int capacity() {
        return capacity;
    }

    /** The capacity that {@link #grow} would give for so many rows. */
    int capacityFor(int rows) {
        if (rows <= capacity) {
            return capacity;
        }
        if (rows >= chunkRows) {
            return Math.multiplyExact(Math.ceilDiv(rows, chunkRows), chunkRows);
        }
        int atLeast = Math.max(SMALLEST_CHUNK_ROWS, Math.max(rows, 2 * capacity));
        return Math.min(chunkRows, atLeast);
    }

    /** Makes room for so many rows; the first chunk doubles, later ones come whole. */
    void grow(int rows) {
        int wanted = capacityFor(rows);
        if (wanted == capacity) {
            return;
        }
        int before = chunks.length;
        chunks = Arrays.copyOf(chunks, Math.ceilDiv(wanted, chunkRows));
        for (int i = 0; i < chunks.length; i++) {
            int length = Math.min(chunkRows, wanted - i * chunkRows) * dimension;
            if (i >= before) {
                chunks[i] = new float[length];
            } else if (chunks[i].length < length) {
                chunks[i] = Arrays.copyOf(chunks[i], length);
            }
        }
        capacity = wanted;
    }

    /** The array that holds a row … */
    float[] chunk(int row) {
        return chunks[row / chunkRows];
    }

    /** … and where in it the row begins. */
    int offset(int row) {
        return row % chunkRows * dimension;
    }

    /** The row after the last one that stands in the same chunk as this. */
    int chunkEnd(int row) {
        return Math.min(capacity, (row / chunkRows + 1) * chunkRows);
    }

    void set(int row, float[] source, int sourceOffset) {
        System.arraycopy(source, sourceOffset, chunk(row), offset(row), dimension);
    }

    float[] get(int row) {
        int offset = offset(row);
        return Arrays.copyOfRange(chunk(row), offset, offset + dimension);
    }
}
