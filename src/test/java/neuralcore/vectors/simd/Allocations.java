package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes how much the kernels of this JVM allocate, a line a method. It runs in a JVM of its own:
 * what C2 makes of a method depends on what the JVM has seen before, and next to tests that call
 * the same methods with other arrays, other segments and other widths that would be another thing
 * each time.
 */
public final class Allocations {
    private static final int DIMENSION = 399;
    private static final int CALLS = 1_000;
    private static final int MOST_ROUNDS = 100;

    private Allocations() {}

    /** What {@link #main} writes in a JVM with vectors of this width, line by line. */
    static List<String> measure(int bits) throws IOException, InterruptedException {
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--add-modules",
                                "jdk.incubator.vector",
                                // A method is compiled before its call goes on.
                                "-Xbatch",
                                "-Dneuralcore.kernels=panama",
                                "-Dneuralcore.vectorbits=" + bits,
                                "-cp",
                                System.getProperty("java.class.path"),
                                Allocations.class.getName())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output.lines().toList();
    }

    /** "name bytes-in-1,000-calls" for each method; the first line is the name of the kernels. */
    public static void main(String[] args) {
        Kernels kernels = KernelProvider.kernels();
        StringBuilder report = new StringBuilder(kernels.name()).append('\n');
        calls(kernels)
                .forEach(
                        (name, call) ->
                                report.append(name)
                                        .append(' ')
                                        .append(leastAllocated(call))
                                        .append('\n'));
        byte[] bytes = report.toString().getBytes(StandardCharsets.UTF_8);
        System.out.write(bytes, 0, bytes.length);
        System.out.flush();
    }

    private static Map<String, Runnable> calls(Kernels kernels) {
        int d = DIMENSION;
        float[] a = new float[d];
        float[] rows = new float[40 * d];
        float[] out = new float[40];
        PackedRows packed = kernels.pack(rows, 0, 40, d);
        float[] matrix = new float[13 * packed.stride()];
        byte[] codes = new byte[40 * d];
        short[] query = new short[CodeKernels.preparedLength(d)];
        short[] half = new short[d];
        MemorySegment segment = Arena.global().allocate(4L * 4 * d, 64);
        CodeKernels coded = kernels.codes();
        HalfKernels halves = kernels.halves();
        SegmentKernels segments = kernels.segments();
        Map<String, Runnable> calls = new LinkedHashMap<>();
        calls.put("dot", () -> kernels.dot(a, 0, rows, d, d));
        calls.put("squaredEuclidean", () -> kernels.squaredEuclidean(a, 0, rows, d, d));
        calls.put("cosine", () -> kernels.cosine(a, 0, rows, d, d));
        calls.put("normalize", () -> kernels.normalize(rows, 0, a, 0, d));
        calls.put("allFinite", () -> kernels.allFinite(a, 0, d));
        calls.put("dotRows", () -> kernels.dotRows(a, 0, rows, 0, 40, d, out));
        calls.put("squaredRows", () -> kernels.squaredEuclideanRows(a, 0, rows, 0, 40, d, out));
        calls.put(
                "gatherDot4",
                () -> kernels.dot4(a, 0, rows, 0, rows, d, rows, 2 * d, rows, 3 * d, d, out, 0));
        calls.put(
                "gatherSquared4",
                () ->
                        kernels.squaredEuclidean4(
                                a, 0, rows, 0, rows, d, rows, 2 * d, rows, 3 * d, d, out, 0));
        calls.put("product", () -> kernels.product(rows, 0, 13, packed, matrix));
        calls.put("prepare", () -> coded.prepare(a, 0, query, d));
        calls.put("encode", () -> coded.encode(a, 0, codes, 0, d));
        calls.put(
                "codesDot4",
                () -> coded.dot4(query, codes, 0, codes, d, codes, 2 * d, codes, 3 * d, d, out, 0));
        calls.put("codesDot", () -> coded.dot(codes, 0, codes, d, d));
        calls.put("halvesDot", () -> halves.dot(a, 0, half, 0, d));
        calls.put("halvesSquared", () -> halves.squaredEuclidean(a, 0, half, 0, d));
        calls.put("segmentsDot", () -> segments.dot(a, 0, segment, 4L * d, d));
        calls.put("segmentsSquared", () -> segments.squaredEuclidean(a, 0, segment, 4L * d, d));
        calls.put(
                "segmentsDot4",
                () -> segments.dot4(a, 0, segment, 0, 4L * d, 8L * d, 12L * d, d, out, 0));
        calls.put(
                "segmentsCodes",
                () -> segments.codeDot4(query, segment, 0, d, 2L * d, 3L * d, d, out, 0));
        return calls;
    }

    /** The least of many rounds: until C2 has compiled a method, calls do allocate. */
    private static long leastAllocated(Runnable call) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < MOST_ROUNDS && least > 0; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < CALLS; i++) {
                call.run();
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        return least;
    }
}
