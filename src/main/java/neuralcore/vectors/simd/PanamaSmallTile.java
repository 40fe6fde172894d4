package neuralcore.vectors.simd;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The tile of the matrix product for sixteen registers, which is what AVX2 has: four rows by two
 * vectors. C2 loads all that a step multiplies before it begins, six vectors here, so that no more
 * than eight sums stay in registers; of twelve, five would be in memory.
 *
 * <p>The inner loop runs a constant number of times and takes two elements a step, which keeps what
 * stands around it short.
 */
final class PanamaSmallTile {
    static final int ROWS = 4;

    /** Products that a register sums up. */
    static final int TERMS = 32;

    private static final VectorSpecies<Float> SPECIES = PanamaKernels.SPECIES;
    private static final int LANES = SPECIES.length();

    private PanamaSmallTile() {}

    /**
     * Adds the products of four rows with a panel, over a range of elements.
     *
     * @param to whole {@link #TERMS} after {@code from}
     */
    static void tile(
            float[] rows, int row, int from, int to, PackedRows packed, int panel, float[] part) {
        int length = packed.length();
        float[] data = packed.data();
        int base = panel * length * (2 * LANES);
        for (int k = from; k < to; k += TERMS) {
            int at = base + k * (2 * LANES);
            int row0 = row + k;
            int row1 = row0 + length;
            int row2 = row1 + length;
            int row3 = row2 + length;
            FloatVector s00 = FloatVector.zero(SPECIES);
            FloatVector s01 = FloatVector.zero(SPECIES);
            FloatVector s10 = FloatVector.zero(SPECIES);
            FloatVector s11 = FloatVector.zero(SPECIES);
            FloatVector s20 = FloatVector.zero(SPECIES);
            FloatVector s21 = FloatVector.zero(SPECIES);
            FloatVector s30 = FloatVector.zero(SPECIES);
            FloatVector s31 = FloatVector.zero(SPECIES);
            for (int j = 0; j < TERMS; j += 2) {
                int p = at + j * (2 * LANES);
                FloatVector p0 = FloatVector.fromArray(SPECIES, data, p);
                FloatVector p1 = FloatVector.fromArray(SPECIES, data, p + LANES);
                FloatVector r0 = FloatVector.broadcast(SPECIES, rows[row0 + j]);
                s00 = r0.fma(p0, s00);
                s01 = r0.fma(p1, s01);
                FloatVector r1 = FloatVector.broadcast(SPECIES, rows[row1 + j]);
                s10 = r1.fma(p0, s10);
                s11 = r1.fma(p1, s11);
                FloatVector r2 = FloatVector.broadcast(SPECIES, rows[row2 + j]);
                s20 = r2.fma(p0, s20);
                s21 = r2.fma(p1, s21);
                FloatVector r3 = FloatVector.broadcast(SPECIES, rows[row3 + j]);
                s30 = r3.fma(p0, s30);
                s31 = r3.fma(p1, s31);
                FloatVector p2 = FloatVector.fromArray(SPECIES, data, p + 2 * LANES);
                FloatVector p3 = FloatVector.fromArray(SPECIES, data, p + 3 * LANES);
                FloatVector next0 = FloatVector.broadcast(SPECIES, rows[row0 + j + 1]);
                s00 = next0.fma(p2, s00);
                s01 = next0.fma(p3, s01);
                FloatVector next1 = FloatVector.broadcast(SPECIES, rows[row1 + j + 1]);
                s10 = next1.fma(p2, s10);
                s11 = next1.fma(p3, s11);
                FloatVector next2 = FloatVector.broadcast(SPECIES, rows[row2 + j + 1]);
                s20 = next2.fma(p2, s20);
                s21 = next2.fma(p3, s21);
                FloatVector next3 = FloatVector.broadcast(SPECIES, rows[row3 + j + 1]);
                s30 = next3.fma(p2, s30);
                s31 = next3.fma(p3, s31);
            }
            s00.add(FloatVector.fromArray(SPECIES, part, 0)).intoArray(part, 0);
            s01.add(FloatVector.fromArray(SPECIES, part, LANES)).intoArray(part, LANES);
            s10.add(FloatVector.fromArray(SPECIES, part, 2 * LANES)).intoArray(part, 2 * LANES);
            s11.add(FloatVector.fromArray(SPECIES, part, 3 * LANES)).intoArray(part, 3 * LANES);
            s20.add(FloatVector.fromArray(SPECIES, part, 4 * LANES)).intoArray(part, 4 * LANES);
            s21.add(FloatVector.fromArray(SPECIES, part, 5 * LANES)).intoArray(part, 5 * LANES);
            s30.add(FloatVector.fromArray(SPECIES, part, 6 * LANES)).intoArray(part, 6 * LANES);
            s31.add(FloatVector.fromArray(SPECIES, part, 7 * LANES)).intoArray(part, 7 * LANES);
        }
    }
}
