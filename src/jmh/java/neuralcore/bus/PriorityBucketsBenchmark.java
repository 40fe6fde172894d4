package neuralcore.bus;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a push and a pop cost, and an eviction from a full queue of 10,000.
 *
 * <p>{@code resident} messages wait all the time; ten priorities as ATLAS uses, or as many beyond
 * the exact buckets.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Thread)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class PriorityBucketsBenchmark {
    private static final int BATCH = 1024;

    @Param({"0", "10000"})
    int resident;

    @Param({"0", "1000"})
    long firstPriority;

    private final long[] priorities = new long[BATCH];
    private final Object message = new Object();
    private PriorityBuckets<Object> queue = new PriorityBuckets<>();

    @Setup(Level.Trial)
    public void fill() {
        Random random = new Random(1);
        for (int i = 0; i < BATCH; i++) {
            priorities[i] = firstPriority + random.nextInt(10);
        }
        queue = new PriorityBuckets<>();
        for (int i = 0; i < resident; i++) {
            queue.push(priorities[i % BATCH], message);
        }
    }

    /** Per pair of a push and a pop. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public Object pushAndPop() {
        for (int i = 0; i < BATCH; i++) {
            queue.push(priorities[i], message);
        }
        Object last = message;
        for (int i = 0; i < BATCH; i++) {
            last = queue.pop();
        }
        return last;
    }

    /** Per message pushed onto a full queue of which the worst has to go. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public Object pushAndEvict() {
        Object last = message;
        for (int i = 0; i < BATCH; i++) {
            queue.push(priorities[i], message);
            last = queue.evict();
        }
        return last;
    }
}
