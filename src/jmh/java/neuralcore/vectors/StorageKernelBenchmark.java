package neuralcore.vectors;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.simd.Kernels;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Kernels on codes, float16 and segments, on one thread, in cache. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Fork(
        value = 1,
        jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
public class StorageKernelBenchmark {
    @Param({"fastest", "scalar"})
    public String kind = "fastest";

    @Param("384")
    public int dimension = 384;

    Kernels kernels = KernelProvider.scalar();
    float[] query = {};
    float[] rows = {};
    short[] prepared = {};
    byte[] codes = {};
    short[] halves = {};
    float[] target = {};
    byte[] encoded = {};
    MemorySegment floatSegment = MemorySegment.NULL;
    MemorySegment codeSegment = MemorySegment.NULL;
    final float[] out = new float[4];

    @Setup
    public void prepareRows() {
        kernels = kind.equals("scalar") ? KernelProvider.scalar() : KernelProvider.kernels();
        int d = dimension;
        Random random = new Random(1);
        query = new float[d];
        rows = new float[4 * d];
        for (int i = 0; i < d; i++) {
            query[i] = (float) random.nextGaussian();
        }
        for (int i = 0; i < 4 * d; i++) {
            rows[i] = (float) random.nextGaussian();
        }
        prepared = new short[CodeKernels.preparedLength(d)];
        kernels.codes().prepare(query, 0, prepared, d);
        codes = new byte[4 * d];
        for (int row = 0; row < 4; row++) {
            kernels.codes().encode(rows, row * d, codes, row * d, d);
        }
        halves = new short[d];
        kernels.halves().encode(rows, 0, halves, 0, d);
        target = new float[d];
        encoded = new byte[d];
        floatSegment = Arena.global().allocate(16L * d, 64);
        MemorySegment.copy(rows, 0, floatSegment, ValueLayout.JAVA_FLOAT, 0, 4 * d);
        codeSegment = Arena.global().allocate(4L * d, 64);
        MemorySegment.copy(codes, 0, codeSegment, ValueLayout.JAVA_BYTE, 0, 4 * d);
    }

    @Benchmark
    public float prepare() {
        return kernels.codes().prepare(query, 0, prepared, dimension);
    }

    @Benchmark
    public float encode() {
        return kernels.codes().encode(rows, 0, encoded, 0, dimension);
    }

    /** Four rows in one call. */
    @Benchmark
    public float[] codeDot4() {
        int d = dimension;
        kernels.codes().dot4(prepared, codes, 0, codes, d, codes, 2 * d, codes, 3 * d, d, out, 0);
        return out;
    }

    @Benchmark
    public int codeDot() {
        return kernels.codes().dot(codes, 0, codes, dimension, dimension);
    }

    /** Four rows in one call, as a graph's neighbours: each in an array of its own. */
    @Benchmark
    public float[] gatherDot4() {
        int d = dimension;
        kernels.dot4(query, 0, rows, 0, rows, d, rows, 2 * d, rows, 3 * d, d, out, 0);
        return out;
    }

    @Benchmark
    public float[] gatherSquared4() {
        int d = dimension;
        kernels.squaredEuclidean4(query, 0, rows, 0, rows, d, rows, 2 * d, rows, 3 * d, d, out, 0);
        return out;
    }

    @Benchmark
    public float halfDot() {
        return kernels.halves().dot(query, 0, halves, 0, dimension);
    }

    @Benchmark
    public float halfSquared() {
        return kernels.halves().squaredEuclidean(query, 0, halves, 0, dimension);
    }

    @Benchmark
    public float normalize() {
        return kernels.normalize(rows, 0, target, 0, dimension);
    }

    @Benchmark
    public float segmentDot() {
        return kernels.segments().dot(query, 0, floatSegment, 4L * dimension, dimension);
    }

    @Benchmark
    public float[] segmentDot4() {
        long bytes = 4L * dimension;
        kernels.segments()
                .dot4(query, 0, floatSegment, 0, bytes, 2 * bytes, 3 * bytes, dimension, out, 0);
        return out;
    }

    @Benchmark
    public float[] segmentCodeDot4() {
        long d = dimension;
        kernels.segments().codeDot4(prepared, codeSegment, 0, d, 2 * d, 3 * d, dimension, out, 0);
        return out;
    }
}
