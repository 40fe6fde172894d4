package neuralcore.vectors.simd;

import java.util.Arrays;
import java.util.List;

/**
 * Runs the kernels in, so that the first requests meet compiled code: until C2 has compiled it,
 * code on the Vector API is a hundred times slower than afterwards.
 *
 * <p>Takes a few tenths of a second of one thread and some 100 KB for as long.
 */
public final class KernelWarmUp {
    private static final int LENGTH = 384;
    private static final int ROWS = 64;

    /** HotSpot compiles a method with C2 after 15,000 calls at the latest. */
    private static final int CALLS = 20_000;

    private static final long MOST_NANOS_EACH = 100_000_000;

    private KernelWarmUp() {}

    public static void run(Kernels kernels) {
        float[] rows = new float[ROWS * LENGTH];
        Arrays.fill(rows, 0.5f);
        float[] out = new float[ROWS];
        PackedRows packed = kernels.pack(rows, 0, ROWS, LENGTH);
        float[] products = new float[ROWS * packed.stride()];
        CodeKernels codes = kernels.codes();
        byte[] coded = new byte[ROWS * LENGTH];
        codes.encode(rows, 0, coded, 0, LENGTH);
        short[] query = new short[LENGTH];
        codes.prepare(rows, 0, query, LENGTH);
        List<Runnable> kinds =
                List.of(
                        () -> kernels.dot(rows, 0, rows, LENGTH, LENGTH),
                        () -> kernels.squaredEuclidean(rows, 0, rows, LENGTH, LENGTH),
                        () -> kernels.cosine(rows, 0, rows, LENGTH, LENGTH),
                        () -> kernels.allFinite(rows, 0, LENGTH),
                        () -> kernels.dotRows(rows, 0, rows, 0, ROWS, LENGTH, out),
                        () -> kernels.squaredEuclideanRows(rows, 0, rows, 0, ROWS, LENGTH, out),
                        () -> kernels.product(rows, 0, ROWS, packed, products),
                        () -> kernels.scaleToCosines(products, 0, ROWS, 0.5f),
                        () -> kernels.anyAtLeast(products, 0, out, 0, ROWS),
                        () -> codes.dotRows(query, coded, 0, ROWS, LENGTH, out),
                        () ->
                                codes.dot4(
                                        query, coded, 0, coded, 0, coded, 0, coded, 0, LENGTH, out,
                                        0));
        for (Runnable kind : kinds) {
            long began = System.nanoTime();
            for (int i = 0; i < CALLS && System.nanoTime() - began < MOST_NANOS_EACH; i++) {
                kind.run();
            }
        }
    }
}
