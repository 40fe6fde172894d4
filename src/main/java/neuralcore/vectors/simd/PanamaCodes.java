package neuralcore.vectors.simd;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of codes on the Vector API, as wide as {@link PanamaKernels}. Bytes are widened to 16
 * bits as they are loaded, multiplied and added there; see {@link CodeKernels} for why that cannot
 * overflow. (The processors' own int8 products cannot be reached from Java.) What compares four
 * rows is too long to be inlined and is called as a whole.
 */
final class PanamaCodes implements CodeKernels {
    static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, PanamaKernels.SPECIES.vectorShape());
    static final VectorSpecies<Integer> INTS =
            VectorSpecies.of(int.class, PanamaKernels.SPECIES.vectorShape());

    /** Half as wide: they become a whole vector of 16-bit numbers. */
    static final VectorSpecies<Byte> BYTES =
            VectorSpecies.of(
                    byte.class, VectorShape.forBitSize(PanamaKernels.SPECIES.vectorBitSize() / 2));

    static final int LANES = SHORTS.length();
    static final int BLOCK = LANES * TERMS;

    /** Products of two codes that fit into 16 bits together: 3 · 96² < 2¹⁵. */
    private static final int CODE_TERMS = 3;

    @Override
    public float prepare(float[] query, int offset, short[] target, int length) {
        return CodeQueries.prepare(query, offset, target, length, LANES);
    }

    @Override
    public void dot4(
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
            int outOffset) {
        int limit = length & -LANES;
        out[outOffset] = tail(query, rows0, row0, limit, length);
        out[outOffset + 1] = tail(query, rows1, row1, limit, length);
        out[outOffset + 2] = tail(query, rows2, row2, limit, length);
        out[outOffset + 3] = tail(query, rows3, row3, limit, length);
        for (int from = 0; from < limit; from += BLOCK) {
            int to = Math.min(from + BLOCK, limit);
            block4(
                    query, from, to, rows0, row0, rows1, row1, rows2, row2, rows3, row3, out,
                    outOffset);
        }
    }

    /** Adds the products of a range of elements; sums of whole numbers, exact in a float. */
    private static void block4(
            short[] query,
            int from,
            int to,
            byte[] rows0,
            int row0,
            byte[] rows1,
            int row1,
            byte[] rows2,
            int row2,
            byte[] rows3,
            int row3,
            float[] out,
            int outOffset) {
        ShortVector sum0 = ShortVector.zero(SHORTS);
        ShortVector sum1 = ShortVector.zero(SHORTS);
        ShortVector sum2 = ShortVector.zero(SHORTS);
        ShortVector sum3 = ShortVector.zero(SHORTS);
        for (int i = from; i < to; i += LANES) {
            ShortVector q = ShortVector.fromArray(SHORTS, query, i);
            sum0 =
                    sum0.add(
                            q.mul(
                                    ByteVector.fromArray(BYTES, rows0, row0 + i)
                                            .castShape(SHORTS, 0)));
            sum1 =
                    sum1.add(
                            q.mul(
                                    ByteVector.fromArray(BYTES, rows1, row1 + i)
                                            .castShape(SHORTS, 0)));
            sum2 =
                    sum2.add(
                            q.mul(
                                    ByteVector.fromArray(BYTES, rows2, row2 + i)
                                            .castShape(SHORTS, 0)));
            sum3 =
                    sum3.add(
                            q.mul(
                                    ByteVector.fromArray(BYTES, rows3, row3 + i)
                                            .castShape(SHORTS, 0)));
        }
        IntVector total0 = (IntVector) sum0.castShape(INTS, 0);
        IntVector total1 = (IntVector) sum1.castShape(INTS, 0);
        IntVector total2 = (IntVector) sum2.castShape(INTS, 0);
        IntVector total3 = (IntVector) sum3.castShape(INTS, 0);
        out[outOffset] += total0.add(sum0.castShape(INTS, 1)).reduceLanes(VectorOperators.ADD);
        out[outOffset + 1] += total1.add(sum1.castShape(INTS, 1)).reduceLanes(VectorOperators.ADD);
        out[outOffset + 2] += total2.add(sum2.castShape(INTS, 1)).reduceLanes(VectorOperators.ADD);
        out[outOffset + 3] += total3.add(sum3.castShape(INTS, 1)).reduceLanes(VectorOperators.ADD);
    }

    @Override
    public void dotRows(
            short[] query, byte[] rows, int offset, int count, int length, float[] out) {
        int limit = length & -LANES;
        for (int i = 0; i < count; i++) {
            int row = offset + i * length;
            int sum = tail(query, rows, row, limit, length);
            for (int from = 0; from < limit; from += BLOCK) {
                sum += block(query, from, Math.min(from + BLOCK, limit), rows, row);
            }
            out[i] = sum;
        }
    }

    /** The products of a range of elements. The three sums add up in 16 bits as one would. */
    private static int block(short[] query, int from, int to, byte[] rows, int row) {
        ShortVector sum0 = ShortVector.zero(SHORTS);
        ShortVector sum1 = ShortVector.zero(SHORTS);
        ShortVector sum2 = ShortVector.zero(SHORTS);
        int i = from;
        for (; i <= to - 3 * LANES; i += 3 * LANES) {
            int at = row + i;
            sum0 =
                    sum0.add(
                            ShortVector.fromArray(SHORTS, query, i)
                                    .mul(
                                            ByteVector.fromArray(BYTES, rows, at)
                                                    .castShape(SHORTS, 0)));
            sum1 =
                    sum1.add(
                            ShortVector.fromArray(SHORTS, query, i + LANES)
                                    .mul(
                                            ByteVector.fromArray(BYTES, rows, at + LANES)
                                                    .castShape(SHORTS, 0)));
            sum2 =
                    sum2.add(
                            ShortVector.fromArray(SHORTS, query, i + 2 * LANES)
                                    .mul(
                                            ByteVector.fromArray(BYTES, rows, at + 2 * LANES)
                                                    .castShape(SHORTS, 0)));
        }
        for (; i < to; i += LANES) {
            sum0 =
                    sum0.add(
                            ShortVector.fromArray(SHORTS, query, i)
                                    .mul(
                                            ByteVector.fromArray(BYTES, rows, row + i)
                                                    .castShape(SHORTS, 0)));
        }
        ShortVector sum = sum0.add(sum1).add(sum2);
        IntVector low = (IntVector) sum.castShape(INTS, 0);
        return low.add(sum.castShape(INTS, 1)).reduceLanes(VectorOperators.ADD);
    }

    /** The products from {@code from} on, which fill no vector. */
    private static int tail(short[] query, byte[] rows, int row, int from, int length) {
        int sum = 0;
        for (int i = from; i < length; i++) {
            sum += query[i] * rows[row + i];
        }
        return sum;
    }

    @Override
    public int dot(byte[] a, int aOffset, byte[] b, int bOffset, int length) {
        IntVector total = IntVector.zero(INTS);
        int i = 0;
        int limit = length & -LANES;
        while (i < limit) {
            int end = Math.min(i + CODE_TERMS * LANES, limit);
            ShortVector sum = ShortVector.zero(SHORTS);
            for (; i < end; i += LANES) {
                ShortVector x =
                        (ShortVector)
                                ByteVector.fromArray(BYTES, a, aOffset + i).castShape(SHORTS, 0);
                sum =
                        sum.add(
                                x.mul(
                                        ByteVector.fromArray(BYTES, b, bOffset + i)
                                                .castShape(SHORTS, 0)));
            }
            total = total.add(sum.castShape(INTS, 0)).add(sum.castShape(INTS, 1));
        }
        int product = total.reduceLanes(VectorOperators.ADD);
        for (; i < length; i++) {
            product += a[aOffset + i] * b[bOffset + i];
        }
        return product;
    }
}
