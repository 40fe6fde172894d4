package neuralcore.eventbus;

import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.internal.VertxInternal;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
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
 * What one hop of a {@link Frame.Deliver} over the local event bus costs, with the codec that hands
 * it over by reference: alone ({@link #pingPong}, half a round trip) and in a stream ({@link
 * #stream}). The receiver looks at each delivery. Per hop, not per message: divide by {@code
 * batch}.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class EventBusHopBenchmark {
    private static final int HOPS = 1_000;
    private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

    @Param({"1", "512"})
    int batch;

    /** Whether sender and receiver share an event loop. */
    @Param({"true", "false"})
    boolean sameLoop;

    private final Vertx vertx = Vertx.vertx();
    private final EventBus bus = vertx.eventBus();
    private Context sender = context();
    private Frame.Deliver frame = new Frame.Deliver(List.of());
    private CountDownLatch done = new CountDownLatch(0);
    private int left;
    private long checksum;

    @Setup
    public void open() throws InterruptedException {
        Services.registerCodecs(bus);
        List<Delivery> deliveries = new ArrayList<>();
        for (int i = 1; i <= batch; i++) {
            deliveries.add(
                    new Delivery(
                            1,
                            i,
                            i,
                            1,
                            false,
                            new Envelope(
                                    "jobs",
                                    1,
                                    i,
                                    0,
                                    5,
                                    0,
                                    0,
                                    Envelope.JSON,
                                    Envelope.NONE,
                                    new byte[150],
                                    150)));
        }
        frame = new Frame.Deliver(deliveries);
        sender = context();
        Context receiver = sameLoop ? sender : context();
        CountDownLatch ready = new CountDownLatch(2);
        sender.runOnContext(
                v -> {
                    bus.<Frame.Deliver>consumer("pong", message -> pong(message.body()));
                    ready.countDown();
                });
        receiver.runOnContext(
                v -> {
                    bus.<Frame.Deliver>consumer("ping", message -> ping(message.body()));
                    bus.<Frame.Deliver>consumer("stream", message -> streamed(message.body()));
                    ready.countDown();
                });
        ready.await();
    }

    @TearDown
    public void close() {
        vertx.close().await();
        if (checksum == 0) {
            throw new IllegalStateException("nothing arrived");
        }
    }

    /** There and back 500 times: 1,000 hops, one at a time. */
    @Benchmark
    @OperationsPerInvocation(HOPS)
    public void pingPong() throws InterruptedException {
        done = new CountDownLatch(1);
        sender.runOnContext(
                v -> {
                    left = HOPS / 2;
                    bus.send("ping", frame, LOCAL);
                });
        done.await();
    }

    /** 1,000 hops as fast as the sender can. */
    @Benchmark
    @OperationsPerInvocation(HOPS)
    public void stream() throws InterruptedException {
        done = new CountDownLatch(HOPS);
        sender.runOnContext(
                v -> {
                    for (int i = 0; i < HOPS; i++) {
                        bus.send("stream", frame, LOCAL);
                    }
                });
        done.await();
    }

    private void ping(Frame.Deliver received) {
        look(received);
        bus.send("pong", received, LOCAL);
    }

    private void pong(Frame.Deliver received) {
        look(received);
        if (--left == 0) {
            done.countDown();
        } else {
            bus.send("ping", received, LOCAL);
        }
    }

    private void streamed(Frame.Deliver received) {
        look(received);
        done.countDown();
    }

    private void look(Frame.Deliver received) {
        long sum = 0;
        for (Delivery delivery : received.deliveries()) {
            sum += delivery.channelSequence();
        }
        checksum = sum;
    }

    private Context context() {
        return ((VertxInternal) vertx).createEventLoopContext();
    }
}
