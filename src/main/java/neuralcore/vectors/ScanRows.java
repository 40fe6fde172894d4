package neuralcore.vectors;

/**
 * Rows as a {@link Scan} goes through them: some at a time, from an array that holds them or that
 * they are copied to. Immutable, thread-safe.
 */
sealed interface ScanRows {
    int dimension();

    /** Whether some rows are copied to the buffer. */
    boolean copies();

    /** The row after the last one that may stand in one block with this. */
    int end(int row);

    /** An array that holds these rows one after the other: their own, or the buffer. */
    float[] array(int first, int count, float[] buffer);

    /** Where in that array the first row begins. */
    int offset(int first);

    /** {@link Scoring#inverseNorm} of a row, which begins at the offset of the array given. */
    float inverseNorm(int row, Scoring scoring, float[] array, int offset);

    /** Rows of one array. */
    @SuppressWarnings("ArrayRecordComponent") // a view, never compared
    record OfArray(float[] data, int dimension) implements ScanRows {
        int count() {
            return data.length / dimension;
        }

        @Override
        public boolean copies() {
            return false;
        }

        @Override
        public int end(int row) {
            return count();
        }

        @Override
        public float[] array(int first, int count, float[] buffer) {
            return data;
        }

        @Override
        public int offset(int first) {
            return first * dimension;
        }

        @Override
        public float inverseNorm(int row, Scoring scoring, float[] array, int offset) {
            return scoring.inverseNorm(array, offset);
        }
    }

    /** All rows of a collection, in the heap or in a mapped file. */
    record Stored(VectorRows.Snapshot rows) implements ScanRows {
        @Override
        public int dimension() {
            return rows.dimension();
        }

        @Override
        public boolean copies() {
            return rows.mappedRows() > 0;
        }

        @Override
        public int end(int row) {
            return rows.chunkEnd(row);
        }

        @Override
        public float[] array(int first, int count, float[] buffer) {
            if (!rows.isMapped(first)) {
                return rows.floats(first);
            }
            for (int i = 0; i < count; i++) {
                rows.copy(first + i, buffer, i * dimension());
            }
            return buffer;
        }

        @Override
        public int offset(int first) {
            return rows.isMapped(first) ? 0 : rows.floatOffset(first);
        }

        @Override
        public float inverseNorm(int row, Scoring scoring, float[] array, int offset) {
            return rows.inverseNorm(scoring.metric(), row);
        }
    }

    /** Some rows of a collection, numbered by their places in an array. */
    @SuppressWarnings("ArrayRecordComponent")
    record Chosen(VectorRows.Snapshot rows, int[] chosen) implements ScanRows {
        @Override
        public int dimension() {
            return rows.dimension();
        }

        @Override
        public boolean copies() {
            return true;
        }

        @Override
        public int end(int place) {
            return chosen.length;
        }

        @Override
        public float[] array(int first, int count, float[] buffer) {
            for (int i = 0; i < count; i++) {
                rows.copy(chosen[first + i], buffer, i * dimension());
            }
            return buffer;
        }

        @Override
        public int offset(int first) {
            return 0;
        }

        @Override
        public float inverseNorm(int place, Scoring scoring, float[] array, int offset) {
            return rows.inverseNorm(scoring.metric(), chosen[place]);
        }
    }
}
