package neuralcore.bus;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Publish to delivery inside the core: batches of 512 messages of 150 bytes and ten priorities over
 * one or 36 channels, each with one subscription of the same connection, credit given back after
 * each batch. After each iteration the counts are checked: everything was delivered.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@State(Scope.Thread)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class NamespaceBenchmark {
    private static final int BATCH = 512;

    @Param({"1", "36"})
    int channels;

    private Namespace bus = fresh();
    private final long[] priorities = new long[BATCH];
    private final byte[] body = new byte[150];
    private String[] names = {};
    private long published;
    private List<Frame.Grant> grants = List.of();
    private final Sink sink = new Sink();

    @Setup(Level.Iteration)
    public void open() {
        bus = fresh();
        names = new String[channels];
        sink.delivered = 0;
        grants = new ArrayList<>();
        for (int i = 0; i < channels; i++) {
            names[i] = "channel-" + i;
            bus.step(new BusEvent.Subscribe(0, "reader", i, names[i], BATCH, Terms.PLAIN), sink);
            grants.add(new Frame.Grant(i, BATCH));
        }
        Random random = new Random(1);
        for (int i = 0; i < BATCH; i++) {
            priorities[i] = random.nextInt(10);
        }
    }

    private static Namespace fresh() {
        return new Namespace(
                "bench",
                BusSettings.of(1000, 100),
                new Surroundings(() -> 0, () -> 0, new Random(1)));
    }

    /** As the codec makes them; the numbers grow, for what came before would not be taken. */
    private List<Envelope> batch() {
        List<Envelope> batch = new ArrayList<>(BATCH);
        for (int i = 0; i < BATCH; i++) {
            batch.add(
                    new Envelope(
                            names[i % channels],
                            1,
                            ++published,
                            0,
                            priorities[i],
                            0,
                            0,
                            Envelope.JSON,
                            Envelope.NONE,
                            body,
                            150));
        }
        return batch;
    }

    /** Messages a second. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public long publishAndDeliver() {
        bus.step(new BusEvent.Publish(0, "writer", batch()), sink);
        bus.step(new BusEvent.Credit(0, "reader", grants), sink);
        return sink.delivered;
    }

    @TearDown(Level.Iteration)
    public void allWasDelivered() {
        ChannelStats totals = bus.totals();
        if (totals.delivered() != totals.published() || totals.delivered() != sink.delivered) {
            throw new IllegalStateException(totals + ", " + sink.delivered);
        }
    }

    private static final class Sink implements Effects {
        long delivered;

        @Override
        public void deliver(String connection, Delivery delivery) {
            delivered++;
        }

        @Override
        public void rejected(long sequence, ErrorCode code) {
            throw new IllegalStateException("message " + sequence + " was rejected: " + code);
        }

        @Override
        public void evicted(String connection, long sequence) {
            throw new IllegalStateException("message " + sequence + " was evicted");
        }

        @Override
        public void room(String connection, String namespace, String channel, int messages) {
            throw new IllegalStateException(channel + " has room for " + messages);
        }

        @Override
        public void settled(int settled, int unknown) {}

        @Override
        public void published(int accepted) {}

        @Override
        public void stored(String namespace, long position) {}

        @Override
        public void kept(String namespace, long position) {}

        @Override
        public void notKept(String namespace, long position, ErrorCode code) {}

        @Override
        public void refused(String connection, long sequence, ErrorCode code) {}

        @Override
        public void failed(String namespace, ErrorCode code, String message) {}

        @Override
        public void created(boolean created) {}
    }
}
