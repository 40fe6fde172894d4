package neuralcore.vectors.simd;

import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of codes on the Vector API, as wide as {@link PanamaKernels}. They are multiplied and
 * added in 16 bits; see {@link CodeKernels} for why that cannot overflow. (The processors' own int8
 * products cannot be reached from Java.)
 *
 * <p><b>Pairs.</b> To widen bytes to 16 bits takes a shuffle of the whole vector for each half of
 * it. Here two codes stay in one 16-bit lane instead. With a = code + 128 in the lower byte and b
 * likewise in the upper one the lane is {@code w = a + 256·b}, and
 *
 * <pre>  a·x + b·y = w·x + b·(y − 256·x)   (mod 2¹⁶)</pre>
 *
 * so it takes two products, and {@code b} is a shift. A prepared query has x and y − 256·x behind
 * its numbers, for each two vectors of codes, and then, for each block, −128·Σ(x + y) of each lane,
 * which takes the 128 away. What is left fits into 16 bits, so that what overflows on the way does
 * not matter.
 *
 * <p><b>Loops.</b> What compares four rows ends at {@code i != end}, which C2 does not unroll: if
 * it did, it would load all that the steps need before it multiplies, and put most of it on the
 * stack (docs/decisions.md). It is too long to be inlined and is called as a whole. One row's block
 * fits into the registers; its loop runs a constant number of times, so that C2 unrolls it and puts
 * nothing before and after it. Lanes are added up by halves of 32-bit lanes at last, which two
 * shifts take apart: casting the second half of a vector to wider lanes takes a dozen instructions
 * without AVX-512.
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

    /** As wide as a vector: each two are the halves of a 16-bit lane. */
    static final VectorSpecies<Byte> PAIRS =
            VectorSpecies.of(byte.class, PanamaKernels.SPECIES.vectorShape());

    static final int LANES = SHORTS.length();
    static final int BLOCK = LANES * TERMS;

    /** Turns two signed bytes of a lane into what they are above −128. */
    static final ShortVector SIGNS = ShortVector.broadcast(SHORTS, (short) 0x8080);

    static final ShortVector LOWER = ShortVector.broadcast(SHORTS, (short) 0xff);

    /** Products of two codes that fit into 16 bits together: 3 · 96² < 2¹⁵. */
    private static final int CODE_TERMS = 3;

    @Override
    public float prepare(float[] query, int offset, short[] target, int length) {
        float step = CodeQueries.prepare(query, offset, target, length, LANES);
        pair(target, length);
        return step;
    }

    /** Writes what {@link #pairs4} reads behind a query's {@code length} numbers. */
    private static void pair(short[] query, int length) {
        int paired = length & -(2 * LANES);
        for (int from = 0; from < paired; from += BLOCK) {
            int end = Math.min(from + BLOCK, paired);
            int bias = length + paired + from / TERMS;
            Arrays.fill(query, bias, bias + LANES, (short) 0);
            for (int i = from; i < end; i += 2 * LANES) {
                for (int lane = 0; lane < LANES; lane++) {
                    int x = query[i + 2 * lane];
                    int y = query[i + 2 * lane + 1];
                    query[length + i + lane] = (short) x;
                    query[length + i + LANES + lane] = (short) (y - 256 * x);
                    query[bias + lane] -= (short) (128 * (x + y));
                }
            }
        }
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
        int paired = length & -(2 * LANES);
        boolean whole = paired == length;
        out[outOffset] = whole ? 0 : rest(query, paired, length, rows0, row0);
        out[outOffset + 1] = whole ? 0 : rest(query, paired, length, rows1, row1);
        out[outOffset + 2] = whole ? 0 : rest(query, paired, length, rows2, row2);
        out[outOffset + 3] = whole ? 0 : rest(query, paired, length, rows3, row3);
        if (paired > 0) {
            pairs4(
                    query, length, paired, rows0, row0, rows1, row1, rows2, row2, rows3, row3, out,
                    outOffset);
        }
    }

    /**
     * Adds the products of the first {@code to} elements; sums of whole numbers, exact in a float.
     * Calling {@link #widened} here takes some percent longer.
     */
    private static void pairs4(
            short[] query,
            int pairs,
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
        int end;
        for (int from = 0; from < to; from = end) {
            end = Math.min(from + BLOCK, to);
            ShortVector sum0 = ShortVector.zero(SHORTS);
            ShortVector sum1 = ShortVector.zero(SHORTS);
            ShortVector sum2 = ShortVector.zero(SHORTS);
            ShortVector sum3 = ShortVector.zero(SHORTS);
            for (int i = from; i != end; i += 2 * LANES) {
                ShortVector x = ShortVector.fromArray(SHORTS, query, pairs + i);
                ShortVector y = ShortVector.fromArray(SHORTS, query, pairs + i + LANES);
                ShortVector w0 =
                        ByteVector.fromArray(PAIRS, rows0, row0 + i)
                                .reinterpretAsShorts()
                                .lanewise(VectorOperators.XOR, SIGNS);
                sum0 =
                        sum0.add(
                                w0.mul(x)
                                        .add(
                                                w0.reinterpretAsInts()
                                                        .lanewise(VectorOperators.LSHR, 8)
                                                        .reinterpretAsShorts()
                                                        .lanewise(VectorOperators.AND, LOWER)
                                                        .mul(y)));
                ShortVector w1 =
                        ByteVector.fromArray(PAIRS, rows1, row1 + i)
                                .reinterpretAsShorts()
                                .lanewise(VectorOperators.XOR, SIGNS);
                sum1 =
                        sum1.add(
                                w1.mul(x)
                                        .add(
                                                w1.reinterpretAsInts()
                                                        .lanewise(VectorOperators.LSHR, 8)
                                                        .reinterpretAsShorts()
                                                        .lanewise(VectorOperators.AND, LOWER)
                                                        .mul(y)));
                ShortVector w2 =
                        ByteVector.fromArray(PAIRS, rows2, row2 + i)
                                .reinterpretAsShorts()
                                .lanewise(VectorOperators.XOR, SIGNS);
                sum2 =
                        sum2.add(
                                w2.mul(x)
                                        .add(
                                                w2.reinterpretAsInts()
                                                        .lanewise(VectorOperators.LSHR, 8)
                                                        .reinterpretAsShorts()
                                                        .lanewise(VectorOperators.AND, LOWER)
                                                        .mul(y)));
                ShortVector w3 =
                        ByteVector.fromArray(PAIRS, rows3, row3 + i)
                                .reinterpretAsShorts()
                                .lanewise(VectorOperators.XOR, SIGNS);
                sum3 =
                        sum3.add(
                                w3.mul(x)
                                        .add(
                                                w3.reinterpretAsInts()
                                                        .lanewise(VectorOperators.LSHR, 8)
                                                        .reinterpretAsShorts()
                                                        .lanewise(VectorOperators.AND, LOWER)
                                                        .mul(y)));
            }
            ShortVector bias = ShortVector.fromArray(SHORTS, query, pairs + to + from / TERMS);
            IntVector halves0 = sum0.add(bias).reinterpretAsInts();
            total0 =
                    total0.add(
                                    halves0.lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(halves0.lanewise(VectorOperators.ASHR, 16));
            IntVector halves1 = sum1.add(bias).reinterpretAsInts();
            total1 =
                    total1.add(
                                    halves1.lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(halves1.lanewise(VectorOperators.ASHR, 16));
            IntVector halves2 = sum2.add(bias).reinterpretAsInts();
            total2 =
                    total2.add(
                                    halves2.lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(halves2.lanewise(VectorOperators.ASHR, 16));
            IntVector halves3 = sum3.add(bias).reinterpretAsInts();
            total3 =
                    total3.add(
                                    halves3.lanewise(VectorOperators.LSHL, 16)
                                            .lanewise(VectorOperators.ASHR, 16))
                            .add(halves3.lanewise(VectorOperators.ASHR, 16));
        }
        out[outOffset] += total0.reduceLanes(VectorOperators.ADD);
        out[outOffset + 1] += total1.reduceLanes(VectorOperators.ADD);
        out[outOffset + 2] += total2.reduceLanes(VectorOperators.ADD);
        out[outOffset + 3] += total3.reduceLanes(VectorOperators.ADD);
    }

    @Override
    public void dotRows(
            short[] query, byte[] rows, int offset, int count, int length, float[] out) {
        int paired = length & -(2 * LANES);
        int whole = paired - paired % BLOCK;
        for (int i = 0; i < count; i++) {
            int row = offset + i * length;
            int sum = blocks(query, length, whole, paired, rows, row);
            out[i] = whole < length ? sum + rest(query, whole, length, rows, row) : sum;
        }
    }

    /** The products of whole blocks of one row. */
    private static int blocks(short[] query, int pairs, int to, int biases, byte[] rows, int row) {
        IntVector total = IntVector.zero(INTS);
        for (int from = 0; from < to; from += BLOCK) {
            int begin = row + from;
            ShortVector lower = ShortVector.zero(SHORTS);
            ShortVector upper = ShortVector.zero(SHORTS);
            for (int j = 0; j < BLOCK; j += 2 * LANES) {
                int i = pairs + from + j;
                ShortVector w =
                        ByteVector.fromArray(PAIRS, rows, begin + j)
                                .reinterpretAsShorts()
                                .lanewise(VectorOperators.XOR, SIGNS);
                lower = lower.add(w.mul(ShortVector.fromArray(SHORTS, query, i)));
                upper =
                        upper.add(
                                w.reinterpretAsInts()
                                        .lanewise(VectorOperators.LSHR, 8)
                                        .reinterpretAsShorts()
                                        .lanewise(VectorOperators.AND, LOWER)
                                        .mul(ShortVector.fromArray(SHORTS, query, i + LANES)));
            }
            ShortVector bias = ShortVector.fromArray(SHORTS, query, pairs + biases + from / TERMS);
            total = total.add(widened(lower.add(upper).add(bias)));
        }
        return total.reduceLanes(VectorOperators.ADD);
    }

    /** The products from {@code from} on, in vectors that are widened one by one, and a tail. */
    private static int rest(short[] query, int from, int length, byte[] rows, int row) {
        IntVector total = IntVector.zero(INTS);
        int i = from;
        for (; i <= length - LANES; i += LANES) {
            ShortVector codes =
                    (ShortVector) ByteVector.fromArray(BYTES, rows, row + i).castShape(SHORTS, 0);
            total = total.add(widened(codes.mul(ShortVector.fromArray(SHORTS, query, i))));
        }
        return total.reduceLanes(VectorOperators.ADD) + tail(query, rows, row, i, length);
    }

    /** Each 32-bit lane is the sum of the two 16-bit ones that were its halves. */
    static IntVector widened(ShortVector sum) {
        IntVector halves = sum.reinterpretAsInts();
        return halves.lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 16)
                .add(halves.lanewise(VectorOperators.ASHR, 16));
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
