package neuralcore.vectors.simd;

/**
 * Products of vectors that are stored as int8 codes: a quarter of the memory, and so of the time it
 * takes to read them.
 *
 * <p><b>Codes.</b> A row is stored as whole numbers of −{@value #LARGEST} … {@value #LARGEST}, each
 * a multiple of one step that is the row's own: {@code row[i] ≈ code[i] · step}.
 *
 * <p><b>Queries.</b> A query becomes 16-bit whole numbers, again multiples of a step. They are made
 * so small that the products of one SIMD lane, up to {@value #TERMS} of them, add up in 16 bits
 * whatever the codes are: the largest Σ|q| over a lane times {@value #LARGEST} stays below 2¹⁵.
 * Processors add 16-bit lanes twice as fast as 32-bit ones, and one widening at the end is enough.
 * What a query loses by it is about as much as the codes lost before.
 *
 * <p>Stateless and thread-safe; nothing is allocated.
 */
public interface CodeKernels {
    /** The largest code. With it, a query's rounding and a code's are about equally coarse. */
    int LARGEST = 96;

    /** Products that are added up in 16 bits. */
    int TERMS = 12;

    /**
     * Room that a prepared query needs: its numbers, and the same as an implementation reads them.
     */
    static int preparedLength(int dimension) {
        // One vector more for each block of TERMS vectors; the widest have 32 lanes of 16 bits.
        return 2 * dimension + dimension / TERMS + 32;
    }

    /**
     * Makes the codes of a row of finite values.
     *
     * @return the step; 0 for a row of zeros
     */
    default float encode(float[] row, int offset, byte[] codes, int codesOffset, int length) {
        float largest = 0f;
        for (int i = 0; i < length; i++) {
            largest = Math.max(largest, Math.abs(row[offset + i]));
        }
        // In double, for the inverse of a denormal is no float.
        double scale = largest == 0f ? 0 : LARGEST / (double) largest;
        for (int i = 0; i < length; i++) {
            codes[codesOffset + i] = (byte) Math.rint(row[offset + i] * scale);
        }
        return largest / LARGEST;
    }

    /**
     * Makes a query of finite values, for {@link #dot4} and {@link #dotRows}.
     *
     * @param target room for {@link #preparedLength}; its first {@code length} numbers stand for
     *     the query's elements
     * @return the step; 0 for a query of zeros
     */
    float prepare(float[] query, int offset, short[] target, int length);

    /**
     * The products of a prepared query with four rows of codes, in whole numbers.
     *
     * @param out takes the four results at {@code outOffset}
     */
    void dot4(
            short[] query,
            byte[] rows0,
            int row0,
            byte[] rows1,
            int row1,
            byte[] rows2,
            int row2,
            byte[] rows3,
            int row3,
            int length,
            float[] out,
            int outOffset);

    /**
     * {@link #dot4} with consecutive rows, one after the other: what is in no cache is read more
     * than twice as fast in one line as four rows at a time.
     *
     * @param out takes the results from index 0
     */
    void dotRows(short[] query, byte[] rows, int offset, int count, int length, float[] out);

    /** Σ aᵢ·bᵢ of two rows of codes. */
    int dot(byte[] a, int aOffset, byte[] b, int bOffset, int length);
}
