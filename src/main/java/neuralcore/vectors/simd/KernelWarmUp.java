package neuralcore.vectors.simd;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Runs the kernels in, so that requests meet compiled code: until C2 has compiled it, code on the
 * Vector API is a hundred times slower than afterwards.
 *
 * <p>Takes a few tenths of a second of one thread, spread over some seconds: each operation on a
 * vector is an object until it is compiled, hundreds of megabytes in all, and where they came
 * without a rest, next to work that slows collections down, Java doubled and trebled its heap for
 * them. Who has announced it spares those who search before: scans over many rows then do with
 * plain loops, which are compiled at once.
 */
public final class KernelWarmUp {
    private static final int LENGTH = 384;
    private static final int ROWS = 64;

    /** Of a product's left side, tiles and a rest: each of them is 350 KB of objects a call. */
    private static final int PRODUCT_ROWS = 13;

    /** HotSpot compiles a method with C2 after 15,000 calls at the latest. */
    private static final int CALLS = 20_000;

    private static final long MOST_NANOS_EACH = 100_000_000;

    /** For a kernel that scans wait for. */
    private static final long MOST_NANOS_SCAN = 2_000_000_000;

    /** A nanosecond a multiplication: a tenth of it is usual, ten of it before it is compiled. */
    private static final long COMPILED_NANOS = (long) ROWS * LENGTH;

    /** Scans by plain loops at most, should nobody run the kernels in after all. */
    private static final int PLAIN_SCANS = 64;

    /** Multiplications from which on a scan is long enough to be worth the question. */
    private static final long LARGE_SCAN = 1 << 20;

    private static final AtomicInteger plainScansLeft = new AtomicInteger();

    private KernelWarmUp() {}

    /** Says that the kernels of this process are not compiled, and that they will be run in. */
    public static void announce() {
        plainScansLeft.set(PLAIN_SCANS);
    }

    /**
     * What to compare rows with, one query after the other: {@code kernels}, or plain loops as long
     * as those are to be run in.
     *
     * @param multiplications of the scan
     */
    public static Kernels forScan(Kernels kernels, long multiplications) {
        boolean plain =
                multiplications >= LARGE_SCAN
                        && plainScansLeft.get() > 0
                        && plainScansLeft.getAndDecrement() > 0;
        return plain ? KernelProvider.scalar() : kernels;
    }

    public static void run(Kernels kernels) {
        float[] rows = new float[ROWS * LENGTH];
        Arrays.fill(rows, 0.5f);
        float[] out = new float[ROWS];
        PackedRows packed = kernels.pack(rows, 0, ROWS, LENGTH);
        float[] products = new float[ROWS * packed.stride()];
        CodeKernels codes = kernels.codes();
        byte[] coded = new byte[ROWS * LENGTH];
        codes.encode(rows, 0, coded, 0, LENGTH);
        short[] query = new short[CodeKernels.preparedLength(LENGTH)];
        codes.prepare(rows, 0, query, LENGTH);
        untilCompiled(() -> codes.dotRows(query, coded, 0, ROWS, LENGTH, out));
        untilCompiled(() -> kernels.dotRows(rows, 0, rows, 0, ROWS, LENGTH, out));
        plainScansLeft.set(0);
        List<Runnable> kinds =
                List.of(
                        () -> kernels.dot(rows, 0, rows, LENGTH, LENGTH),
                        () -> kernels.squaredEuclidean(rows, 0, rows, LENGTH, LENGTH),
                        () -> kernels.cosine(rows, 0, rows, LENGTH, LENGTH),
                        () -> kernels.allFinite(rows, 0, LENGTH),
                        () -> kernels.squaredEuclideanRows(rows, 0, rows, 0, ROWS, LENGTH, out),
                        () -> kernels.product(rows, 0, PRODUCT_ROWS, packed, products),
                        () -> kernels.scaleToCosines(products, 0, ROWS, 0.5f),
                        () -> kernels.anyAtLeast(products, 0, out, 0, ROWS),
                        () ->
                                codes.dot4(
                                        query, coded, 0, coded, 0, coded, 0, coded, 0, LENGTH, out,
                                        0));
        for (Runnable kind : kinds) {
            Pace pace = new Pace();
            for (int i = 0; i < CALLS && pace.worked() < MOST_NANOS_EACH; i++) {
                pace.run(kind);
            }
        }
    }

    /**
     * Runs a kernel for a while, and on until a call is as quick as compiled code, within limits.
     */
    private static void untilCompiled(Runnable kernel) {
        long began = System.nanoTime();
        Pace pace = new Pace();
        long took = Long.MAX_VALUE;
        while (pace.worked() < MOST_NANOS_EACH
                || (took > COMPILED_NANOS && System.nanoTime() - began < MOST_NANOS_SCAN)) {
            took = pace.run(kernel);
        }
    }
}
