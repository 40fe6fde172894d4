package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.MethodModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What makes the kernels fast and is lost without a wrong result to show it. */
class PanamaKernelsTest {
    /** Up to which C2 inlines a hot method: its flag FreqInlineSize. */
    private static final int INLINED_BYTECODES = 325;

    private static final int DIMENSION = 399;

    static List<Kernels> widths() {
        return TestKernels.panama();
    }

    @Test
    void namesTellTheWidth() {
        assertThat(widths())
                .extracting(Kernels::name)
                .containsExactly("panama-512", "panama-256", "panama-128");
        assertThat(widths()).extracting(Kernels::vectorBits).containsExactly(512, 256, 128);
    }

    @Test
    void methodsAreSmallEnoughToBeInlined() throws IOException {
        for (Class<?> type : List.of(PanamaKernels.class, PanamaHalves.class)) {
            check(type);
        }
    }

    private static void check(Class<?> type) throws IOException {
        try (InputStream in = type.getResourceAsStream(type.getSimpleName() + ".class")) {
            assertThat(in).isNotNull();
            for (MethodModel method : ClassFile.of().parse(in.readAllBytes()).methods()) {
                int length =
                        method.findAttribute(java.lang.classfile.Attributes.code())
                                .orElseThrow()
                                .codeLength();
                assertThat(length)
                        .as(method.methodName().stringValue())
                        .isLessThan(INLINED_BYTECODES);
            }
        }
    }

    /** A vector that does not stay in a register is an object, and ten times slower. */
    @ParameterizedTest
    @MethodSource("widths")
    void compiledCallsAllocateNothing(Kernels kernels) {
        assumeThat(kernels.vectorBits())
                .as("what this processor has registers for")
                .isLessThanOrEqualTo(FloatVector.SPECIES_PREFERRED.vectorBitSize());
        float[] a = new float[DIMENSION];
        float[] rows = new float[40 * DIMENSION];
        float[] out = new float[40];
        PackedRows packed = kernels.pack(rows, 0, 40, DIMENSION);
        float[] matrix = new float[13 * packed.stride()];
        int d = DIMENSION;
        byte[] codes = new byte[40 * DIMENSION];
        short[] query = new short[DIMENSION];
        short[] half = new short[DIMENSION];
        MemorySegment segment = Arena.global().allocate(4L * 4 * DIMENSION, 64);
        Map<String, Runnable> calls = new LinkedHashMap<>();
        calls.put(
                "gather dot4",
                () -> kernels.dot4(a, 0, rows, 0, rows, d, rows, 2 * d, rows, 3 * d, d, out, 0));
        calls.put(
                "gather squared4",
                () ->
                        kernels.squaredEuclidean4(
                                a, 0, rows, 0, rows, d, rows, 2 * d, rows, 3 * d, d, out, 0));
        calls.put("prepare", () -> kernels.codes().prepare(a, 0, query, d));
        calls.put("encode", () -> kernels.codes().encode(a, 0, codes, 0, d));
        calls.put(
                "codes dot4",
                () ->
                        kernels.codes()
                                .dot4(
                                        query, codes, 0, codes, d, codes, 2 * d, codes, 3 * d, d,
                                        out, 0));
        calls.put("codes dot", () -> kernels.codes().dot(codes, 0, codes, d, d));
        calls.put("halves dot", () -> kernels.halves().dot(a, 0, half, 0, d));
        calls.put("halves squared", () -> kernels.halves().squaredEuclidean(a, 0, half, 0, d));
        calls.put("normalize", () -> kernels.normalize(rows, 0, a, 0, d));
        calls.put(
                "segments dot4",
                () ->
                        kernels.segments()
                                .dot4(a, 0, segment, 0, 4L * d, 8L * d, 12L * d, d, out, 0));
        calls.put(
                "segments codes",
                () -> kernels.segments().codeDot4(query, segment, 0, d, 2L * d, 3L * d, d, out, 0));
        calls.put("segments dot", () -> kernels.segments().dot(a, 0, segment, 4L * d, d));
        calls.put("dot", () -> kernels.dot(a, 0, rows, d, d));
        calls.put("squaredEuclidean", () -> kernels.squaredEuclidean(a, 0, rows, d, d));
        calls.put("cosine", () -> kernels.cosine(a, 0, rows, d, d));
        calls.put("allFinite", () -> kernels.allFinite(a, 0, d));
        calls.put("dotRows", () -> kernels.dotRows(a, 0, rows, 0, 40, d, out));
        calls.put("squaredRows", () -> kernels.squaredEuclideanRows(a, 0, rows, 0, 40, d, out));
        calls.put("product", () -> kernels.product(rows, 0, 13, packed, matrix));
        calls.forEach(
                (name, call) -> {
                    long limit = name.equals("product") ? 1_000_000 : 1_000;
                    assertThat(leastAllocated(call, limit))
                            .as("%s of %s: bytes in 1,000 calls", name, kernels.name())
                            .isLessThan(limit);
                });
    }

    /**
     * The least of many rounds: before C2 has compiled a method, calls do allocate. On a machine
     * that is busy the compiler needs a while, so each round leaves it one.
     */
    private static long leastAllocated(Runnable call, long limit) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 3_000 && least >= limit; round++) {
            if (round > 100) {
                LockSupport.parkNanos(5_000_000);
            }
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 1_000; i++) {
                call.run();
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        return least;
    }
}
