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
 *
 * <p>Lanes are added up by pairs, as the lower and the upper half of a 32-bit lane, which two
 * shifts take apart: casting the second half of a vector to wider lanes takes a dozen instructions
 * without AVX-512. Inner loops run a constant number of times, so that C2 puts nothing before and
 * after them.
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
        int whole = length - length % BLOCK;
        out[outOffset] = tail(query, rows0, row0, limit, length);
        out[outOffset + 1] = tail(query, rows1, row1, limit, length);
        out[outOffset + 2] = tail(query, rows2, row2, limit, length);
        out[outOffset + 3] = tail(query, rows3, row3, limit, length);
        if (whole > 0) {
            blocks4(
                    query, whole, rows0, row0, rows1, row1, rows2, row2, rows3, row3, out,
                    outOffset);
        }
        if (whole < limit) {
            part4(
                    query, whole, limit, rows0, row0, rows1, row1, rows2, row2, rows3, row3, out,
                    outOffset);
        }
    }

    /**
     * Adds the products of whole blocks; sums of whole numbers, exact in a float. Calling {@link
     * #widened} here takes some percent longer.
     */
    private static void blocks4(
            short[] query,
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
        IntVector total0 = IntVector.zero(INTS);
        IntVector total1 = IntVector.zero(INTS);
        IntVector total2 = IntVector.zero(INTS);
        IntVector total3 = IntVector.zero(INTS);
        for (int from = 0; from < to; from += BLOCK) {
            ShortVector sum0 = ShortVector.zero(SHORTS);
            ShortVector sum1 = ShortVector.zero(SHORTS);
            ShortVector sum2 = ShortVector.zero(SHORTS);
            ShortVector sum3 = ShortVector.zero(SHORTS);
            for (int j = 0; j < BLOCK; j += LANES) {
                int i = from + j;
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
            total0 =
                    total0.add(
                                    sum0.reinterpretAsInts()
                                            .lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(sum0.reinterpretAsInts().lanewise(VectorOperators.ASHR, 16));
            total1 =
                    total1.add(
                                    sum1.reinterpretAsInts()
                                            .lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(sum1.reinterpretAsInts().lanewise(VectorOperators.ASHR, 16));
            total2 =
                    total2.add(
                                    sum2.reinterpretAsInts()
                                            .lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(sum2.reinterpretAsInts().lanewise(VectorOperators.ASHR, 16));
            total3 =
                    total3.add(
                                    sum3.reinterpretAsInts()
                                            .lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(sum3.reinterpretAsInts().lanewise(VectorOperators.ASHR, 16));
        }
        out[outOffset] += total0.reduceLanes(VectorOperators.ADD);
        out[outOffset + 1] += total1.reduceLanes(VectorOperators.ADD);
        out[outOffset + 2] += total2.reduceLanes(VectorOperators.ADD);
        out[outOffset + 3] += total3.reduceLanes(VectorOperators.ADD);
    }

    /** Adds the products of a part of a block. */
    private static void part4(
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
        out[outOffset] += widened(sum0).reduceLanes(VectorOperators.ADD);
        out[outOffset + 1] += widened(sum1).reduceLanes(VectorOperators.ADD);
        out[outOffset + 2] += widened(sum2).reduceLanes(VectorOperators.ADD);
        out[outOffset + 3] += widened(sum3).reduceLanes(VectorOperators.ADD);
    }

    @Override
    public void dotRows(
            short[] query, byte[] rows, int offset, int count, int length, float[] out) {
        int whole = length - length % BLOCK;
        for (int i = 0; i < count; i++) {
            int row = offset + i * length;
            int sum = blocks(query, whole, rows, row);
            out[i] = whole < length ? sum + rest(query, whole, length, rows, row) : sum;
        }
    }

    /** The products of whole blocks. The three sums add up in 16 bits as one would. */
    private static int blocks(short[] query, int to, byte[] rows, int row) {
        IntVector total = IntVector.zero(INTS);
        for (int from = 0; from < to; from += BLOCK) {
            int begin = row + from;
            ShortVector sum0 = ShortVector.zero(SHORTS);
            ShortVector sum1 = ShortVector.zero(SHORTS);
            ShortVector sum2 = ShortVector.zero(SHORTS);
            for (int j = 0; j < BLOCK; j += 3 * LANES) {
                int i = from + j;
                int at = begin + j;
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
            ShortVector sum = sum0.add(sum1).add(sum2);
            total = total.add(widened(sum));
        }
        return total.reduceLanes(VectorOperators.ADD);
    }

    /** The products from {@code from} on, which fill no block. */
    private static int rest(short[] query, int from, int length, byte[] rows, int row) {
        ShortVector sum = ShortVector.zero(SHORTS);
        int i = from;
        for (; i <= length - LANES; i += LANES) {
            sum =
                    sum.add(
                            ShortVector.fromArray(SHORTS, query, i)
                                    .mul(
                                            ByteVector.fromArray(BYTES, rows, row + i)
                                                    .castShape(SHORTS, 0)));
        }
        return widened(sum).reduceLanes(VectorOperators.ADD) + tail(query, rows, row, i, length);
    }

    /** The lanes added up by pairs. */
    private static IntVector widened(ShortVector sum) {
        IntVector pairs = sum.reinterpretAsInts();
        return pairs.lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 16)
                .add(pairs.lanewise(VectorOperators.ASHR, 16));
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
            total = total.add(widened(sum));
        }
        int product = total.reduceLanes(VectorOperators.ADD);
        for (; i < length; i++) {
            product += a[aOffset + i] * b[bOffset + i];
        }
        return product;
    }
}
