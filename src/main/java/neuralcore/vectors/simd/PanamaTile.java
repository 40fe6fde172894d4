package neuralcore.vectors.simd;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The matrix product, in tiles of six rows by two vectors of packed rows: twelve sums stay in
 * registers, and each element loaded is used two or six times. Where there may be no more than
 * sixteen registers, tiles are those of {@link PanamaSmallTile}.
 *
 * <p>A long sum in float loses digits, so there are three levels: {@value PanamaSmallTile#TERMS}
 * products in a register, {@value #SEGMENT} in an array small enough for the first level of cache,
 * and the rest in the result.
 */
final class PanamaTile {
    private static final VectorSpecies<Float> SPECIES = PanamaKernels.SPECIES;
    private static final int LANES = SPECIES.length();
    private static final boolean SMALL = SPECIES.vectorBitSize() < 512;
    private static final int ROWS = SMALL ? PanamaSmallTile.ROWS : 6;
    private static final int TERMS = PanamaSmallTile.TERMS;
    private static final int SEGMENT = 512;

    private PanamaTile() {}

    static void product(float[] rows, int offset, int count, PackedRows packed, float[] out) {
        int length = packed.length();
        float[] part = new float[ROWS * packed.width()];
        for (int panel = 0; panel < packed.panels(); panel++) {
            for (int i = 0; i < count; i += ROWS) {
                int tileRows = Math.min(ROWS, count - i);
                int row = offset + i * length;
                int to = i * packed.stride() + panel * packed.width();
                for (int from = 0; from < Math.max(1, length); from += SEGMENT) {
                    int end = Math.min(from + SEGMENT, length);
                    Arrays.fill(part, 0f);
                    int done = from;
                    if (tileRows == ROWS && SMALL) {
                        done = end - (end - from) % TERMS;
                        PanamaSmallTile.tile(rows, row, from, done, packed, panel, part);
                    } else if (tileRows == ROWS) {
                        done = end;
                        tile(rows, row, from, end, packed, panel, part);
                    }
                    for (int r = 0; r < tileRows && done < end; r++) {
                        row(rows, row, r, done, end, packed, panel, part);
                    }
                    add(part, tileRows, packed, out, to, from == 0);
                }
            }
        }
    }

    /** Puts the sums of a segment into the result, or adds them to it. */
    private static void add(
            float[] part, int rows, PackedRows packed, float[] out, int to, boolean first) {
        int width = packed.width();
        for (int r = 0; r < rows; r++) {
            int at = to + r * packed.stride();
            for (int j = 0; j < width; j++) {
                out[at + j] = first ? part[r * width + j] : out[at + j] + part[r * width + j];
            }
        }
    }

    /** Adds the products of six rows with a panel, over a range of elements. */
    private static void tile(
            float[] rows, int row, int from, int to, PackedRows packed, int panel, float[] part) {
        int length = packed.length();
        float[] data = packed.data();
        int base = panel * length * (2 * LANES);
        for (int k = from; k < to; ) {
            int end = Math.min(k + TERMS, to);
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
                int p = base + k * (2 * LANES);
                FloatVector p0 = FloatVector.fromArray(SPECIES, data, p);
                FloatVector p1 = FloatVector.fromArray(SPECIES, data, p + LANES);
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
            s00.add(FloatVector.fromArray(SPECIES, part, 0)).intoArray(part, 0);
            s01.add(FloatVector.fromArray(SPECIES, part, LANES)).intoArray(part, LANES);
            s10.add(FloatVector.fromArray(SPECIES, part, 2 * LANES)).intoArray(part, 2 * LANES);
            s11.add(FloatVector.fromArray(SPECIES, part, 3 * LANES)).intoArray(part, 3 * LANES);
            s20.add(FloatVector.fromArray(SPECIES, part, 4 * LANES)).intoArray(part, 4 * LANES);
            s21.add(FloatVector.fromArray(SPECIES, part, 5 * LANES)).intoArray(part, 5 * LANES);
            s30.add(FloatVector.fromArray(SPECIES, part, 6 * LANES)).intoArray(part, 6 * LANES);
            s31.add(FloatVector.fromArray(SPECIES, part, 7 * LANES)).intoArray(part, 7 * LANES);
            s40.add(FloatVector.fromArray(SPECIES, part, 8 * LANES)).intoArray(part, 8 * LANES);
            s41.add(FloatVector.fromArray(SPECIES, part, 9 * LANES)).intoArray(part, 9 * LANES);
            s50.add(FloatVector.fromArray(SPECIES, part, 10 * LANES)).intoArray(part, 10 * LANES);
            s51.add(FloatVector.fromArray(SPECIES, part, 11 * LANES)).intoArray(part, 11 * LANES);
        }
    }

    /** {@link #tile} for one row, in the same order, so that equal rows get equal results. */
    private static void row(
            float[] rows,
            int firstRow,
            int r,
            int from,
            int to,
            PackedRows packed,
            int panel,
            float[] part) {
        int row = firstRow + r * packed.length();
        float[] data = packed.data();
        int base = panel * packed.length() * (2 * LANES);
        int at = r * (2 * LANES);
        for (int k = from; k < to; ) {
            int end = Math.min(k + TERMS, to);
            FloatVector s0 = FloatVector.zero(SPECIES);
            FloatVector s1 = FloatVector.zero(SPECIES);
            for (; k < end; k++) {
                int p = base + k * (2 * LANES);
                FloatVector value = FloatVector.broadcast(SPECIES, rows[row + k]);
                s0 = value.fma(FloatVector.fromArray(SPECIES, data, p), s0);
                s1 = value.fma(FloatVector.fromArray(SPECIES, data, p + LANES), s1);
            }
            s0.add(FloatVector.fromArray(SPECIES, part, at)).intoArray(part, at);
            s1.add(FloatVector.fromArray(SPECIES, part, at + LANES)).intoArray(part, at + LANES);
        }
    }
}
