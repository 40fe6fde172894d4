package neuralcore.vectors.simd;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The matrix product, in tiles of six rows by two vectors of packed rows: twelve sums stay in
 * registers (of sixteen that AVX2 has), and each element loaded is used two or six times.
 *
 * <p>A lane sums {@value #TERMS} products before they are added to the result, as a longer sum in
 * float would lose digits.
 */
final class PanamaTile {
    private static final VectorSpecies<Float> SPECIES = PanamaKernels.SPECIES;
    private static final int LANES = SPECIES.length();
    private static final int ROWS = 6;
    private static final int TERMS = 32;

    private PanamaTile() {}

    static void product(float[] rows, int offset, int count, PackedRows packed, float[] out) {
        int length = packed.length();
        int stride = packed.stride();
        Arrays.fill(out, 0, count * stride, 0f);
        int whole = count - count % ROWS;
        for (int panel = 0; panel < packed.panels(); panel++) {
            int at = panel * packed.width() * length;
            int column = panel * packed.width();
            for (int i = 0; i < whole; i += ROWS) {
                tile(
                        rows,
                        offset + i * length,
                        packed.data(),
                        at,
                        length,
                        out,
                        i * stride + column,
                        stride);
            }
            for (int i = whole; i < count; i++) {
                row(rows, offset + i * length, packed.data(), at, length, out, i * stride + column);
            }
        }
    }

    private static void tile(
            float[] rows,
            int row,
            float[] packed,
            int panel,
            int length,
            float[] out,
            int at,
            int stride) {
        for (int k = 0; k < length; ) {
            int end = Math.min(k + TERMS, length);
            FloatVector s00 = FloatVector.zero(SPECIES);
            FloatVector s01 = FloatVector.zero(SPECIES);
            FloatVector s10 = FloatVector.zero(SPECIES);
            FloatVector s11 = FloatVector.zero(SPECIES);
            FloatVector s20 = FloatVector.zero(SPECIES);
            FloatVector s21 = FloatVector.zero(SPECIES);
            FloatVector s30 = FloatVector.zero(SPECIES);
            FloatVector s31 = FloatVector.zero(SPECIES);
            FloatVector s40 = FloatVector.zero(SPECIES);
            FloatVector s41 = FloatVector.zero(SPECIES);
            FloatVector s50 = FloatVector.zero(SPECIES);
            FloatVector s51 = FloatVector.zero(SPECIES);
            for (; k < end; k++) {
                int p = panel + k * (2 * LANES);
                FloatVector p0 = FloatVector.fromArray(SPECIES, packed, p);
                FloatVector p1 = FloatVector.fromArray(SPECIES, packed, p + LANES);
                FloatVector r0 = FloatVector.broadcast(SPECIES, rows[row + k]);
                s00 = r0.fma(p0, s00);
                s01 = r0.fma(p1, s01);
                FloatVector r1 = FloatVector.broadcast(SPECIES, rows[row + length + k]);
                s10 = r1.fma(p0, s10);
                s11 = r1.fma(p1, s11);
                FloatVector r2 = FloatVector.broadcast(SPECIES, rows[row + 2 * length + k]);
                s20 = r2.fma(p0, s20);
                s21 = r2.fma(p1, s21);
                FloatVector r3 = FloatVector.broadcast(SPECIES, rows[row + 3 * length + k]);
                s30 = r3.fma(p0, s30);
                s31 = r3.fma(p1, s31);
                FloatVector r4 = FloatVector.broadcast(SPECIES, rows[row + 4 * length + k]);
                s40 = r4.fma(p0, s40);
                s41 = r4.fma(p1, s41);
                FloatVector r5 = FloatVector.broadcast(SPECIES, rows[row + 5 * length + k]);
                s50 = r5.fma(p0, s50);
                s51 = r5.fma(p1, s51);
            }
            int to = at;
            s00.add(FloatVector.fromArray(SPECIES, out, to)).intoArray(out, to);
            s01.add(FloatVector.fromArray(SPECIES, out, to + LANES)).intoArray(out, to + LANES);
            to += stride;
            s10.add(FloatVector.fromArray(SPECIES, out, to)).intoArray(out, to);
            s11.add(FloatVector.fromArray(SPECIES, out, to + LANES)).intoArray(out, to + LANES);
            to += stride;
            s20.add(FloatVector.fromArray(SPECIES, out, to)).intoArray(out, to);
            s21.add(FloatVector.fromArray(SPECIES, out, to + LANES)).intoArray(out, to + LANES);
            to += stride;
            s30.add(FloatVector.fromArray(SPECIES, out, to)).intoArray(out, to);
            s31.add(FloatVector.fromArray(SPECIES, out, to + LANES)).intoArray(out, to + LANES);
            to += stride;
            s40.add(FloatVector.fromArray(SPECIES, out, to)).intoArray(out, to);
            s41.add(FloatVector.fromArray(SPECIES, out, to + LANES)).intoArray(out, to + LANES);
            to += stride;
            s50.add(FloatVector.fromArray(SPECIES, out, to)).intoArray(out, to);
            s51.add(FloatVector.fromArray(SPECIES, out, to + LANES)).intoArray(out, to + LANES);
        }
    }

    /**
     * One row with one panel, in the order of {@link #tile}, so that equal rows get equal results.
     */
    private static void row(
            float[] rows, int row, float[] packed, int panel, int length, float[] out, int at) {
        for (int k = 0; k < length; ) {
            int end = Math.min(k + TERMS, length);
            FloatVector s0 = FloatVector.zero(SPECIES);
            FloatVector s1 = FloatVector.zero(SPECIES);
            for (; k < end; k++) {
                int p = panel + k * (2 * LANES);
                FloatVector r = FloatVector.broadcast(SPECIES, rows[row + k]);
                s0 = r.fma(FloatVector.fromArray(SPECIES, packed, p), s0);
                s1 = r.fma(FloatVector.fromArray(SPECIES, packed, p + LANES), s1);
            }
            s0.add(FloatVector.fromArray(SPECIES, out, at)).intoArray(out, at);
            s1.add(FloatVector.fromArray(SPECIES, out, at + LANES)).intoArray(out, at + LANES);
        }
    }
}
