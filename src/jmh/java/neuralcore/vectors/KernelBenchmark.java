package neuralcore.vectors;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.simd.Kernels;
import neuralcore.vectors.simd.PackedRows;
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

/** The kernels on one thread, in cache: 384 elements is what all-MiniLM-L6-v2 makes. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Fork(
        value = 1,
        jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
public class KernelBenchmark {
    static final int ROWS = 1_000;

    @Param({"fastest", "scalar"})
    public String kind = "fastest";

    @Param("384")
    public int dimension = 384;

    Kernels kernels = KernelProvider.scalar();
    float[] a = {};
    float[] b = {};
    float[] rows = {};
    float[] out = {};
    float[] matrix = {};
    PackedRows packed = kernels.pack(rows, 0, 0, 0);

    @Setup
    public void prepare() {
        kernels = kind.equals("scalar") ? KernelProvider.scalar() : KernelProvider.kernels();
        Random random = new Random(1);
        a = gaussian(random, dimension);
        b = gaussian(random, dimension);
        rows = gaussian(random, ROWS * dimension);
        out = new float[ROWS];
        packed = kernels.pack(rows, 0, ROWS, dimension);
        matrix = new float[ROWS * packed.stride()];
    }

    @Benchmark
    public float dot() {
        return kernels.dot(a, 0, b, 0, dimension);
    }

    @Benchmark
    public float squaredEuclidean() {
        return kernels.squaredEuclidean(a, 0, b, 0, dimension);
    }

    @Benchmark
    public float cosine() {
        return kernels.cosine(a, 0, b, 0, dimension);
    }

    @Benchmark
    public boolean allFinite() {
        return kernels.allFinite(a, 0, dimension);
    }

    /** Four rows in one call. */
    @Benchmark
    public float[] dot4() {
        kernels.dot4(a, 0, rows, 0, dimension, 2 * dimension, 3 * dimension, dimension, out, 0);
        return out;
    }

    /** A thousand rows, which come from the second or third level of cache. */
    @Benchmark
    public float[] dotRows() {
        kernels.dotRows(a, 0, rows, 0, ROWS, dimension, out);
        return out;
    }

    @Benchmark
    public float[] squaredEuclideanRows() {
        kernels.squaredEuclideanRows(a, 0, rows, 0, ROWS, dimension, out);
        return out;
    }

    /** 1,000 × 1,000 products: 2·10⁶·dimension floating point operations. */
    @Benchmark
    public float[] product() {
        kernels.product(rows, 0, ROWS, packed, matrix);
        return matrix;
    }

    @Benchmark
    public PackedRows pack() {
        return kernels.pack(rows, 0, ROWS, dimension);
    }

    private static float[] gaussian(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
