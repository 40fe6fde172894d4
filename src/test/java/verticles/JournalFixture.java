package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.junit5.VertxExtension;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.PublishBatch;
import neuralcore.eventbus.Services;
import neuralcore.eventbus.SettleBatch;
import neuralcore.journal.JournalFolder;
import neuralcore.journal.JournalSettings;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A bus on the event bus with journals on real files, and what tests ask of it. */
@ExtendWith(VertxExtension.class)
@Timeout(300)
abstract class JournalFixture {
    static final Duration PATIENCE = Duration.ofSeconds(60);

    final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    @TempDir Path folder;
    private Vertx vertx;
    private String deployment;

    @BeforeEach
    void deploy(Vertx provided) {
        vertx = provided;
        Services.registerCodecs(vertx.eventBus());
        start();
    }

    /** So that no file is open when the folder is deleted. */
    @AfterEach
    void undeploy() {
        await(vertx.undeploy(deployment));
    }

    /** Stops the bus and starts it on the same files. */
    void restart() {
        undeploy();
        start();
    }

    void start() {
        JournalFolder journals =
                new JournalFolder(
                        folder.resolve("bus"),
                        Path.of("target", "test-cache").toAbsolutePath(),
                        JournalSettings.STANDARD,
                        System::currentTimeMillis,
                        false);
        deployment =
                await(
                        vertx.deployVerticle(
                                new BusVerticle(
                                        new RuntimeConfig.Bus(1000, 100),
                                        journals,
                                        registry,
                                        () -> System.nanoTime() / 1_000_000)));
    }

    void awaitOldest(@Nullable String payload) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            List<Map<String, Object>> left = history("tasks", 0, 1);
            Object oldest = left.isEmpty() ? null : left.getFirst().get("payload");
            if (Objects.equals(oldest, payload)) {
                return;
            }
            assertThat(System.nanoTime()).as("oldest is %s", oldest).isLessThan(end);
            Thread.sleep(10);
        }
    }

    void create(String channel, Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> params = new HashMap<>(more);
        params.put("channel", channel);
        params.put("persistent", true);
        call(Addresses.MESSAGING_CREATE, params);
    }

    /** Publishes JSON strings "p1", "p2", …, and waits until they are kept. */
    void publish(String channel, int first, int count) {
        List<Envelope> messages = new ArrayList<>();
        for (int i = first; i < first + count; i++) {
            messages.add(message(channel, i, 0, 0));
        }
        publish(messages.toArray(Envelope[]::new));
    }

    void publish(Envelope... messages) {
        assertThat(offer(messages)).isEqualTo(new Frame.Published(1, messages.length, List.of()));
    }

    /** Publishes, and waits until what is taken is kept. */
    Frame.Published offer(Envelope... messages) {
        Frame.Publish frame =
                new Frame.Publish(1, Frame.Confirm.DURABLE, "atlas", List.of(messages));
        return await(
                vertx.eventBus()
                        .<Frame.Published>request(
                                Addresses.BUS_PUBLISH, new PublishBatch("c-2", "c-2", frame))
                        .map(message -> message.body()));
    }

    static Envelope message(String channel, long number, int ttlMillis, long delayMillis) {
        return message(channel, number, ttlMillis, delayMillis, "\"p" + number + "\"");
    }

    static Envelope message(
            String channel, long number, int ttlMillis, long delayMillis, String json) {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        return new Envelope(
                channel,
                77,
                number,
                number,
                5,
                ttlMillis,
                delayMillis,
                Envelope.JSON,
                Envelope.NONE,
                body,
                body.length);
    }

    void settle(List<Settlement> settlements) {
        Frame.Settled settled =
                await(
                        vertx.eventBus()
                                .<Frame.Settled>request(
                                        Addresses.BUS_SETTLE,
                                        new SettleBatch(
                                                "c-1", new Frame.Settle(1, true, settlements)))
                                .map(message -> message.body()));
        assertThat(settled).isEqualTo(new Frame.Settled(1, settlements.size(), 0));
    }

    BlockingQueue<Frame> inbox(String connection) {
        BlockingQueue<Frame> frames = new LinkedBlockingQueue<>();
        await(
                vertx.eventBus()
                        .<Frame>consumer(
                                Addresses.deliveries(connection),
                                message -> frames.add(message.body()))
                        .completion());
        return frames;
    }

    /** The next deliveries; there must be exactly so many by then. */
    static List<Delivery> deliveries(BlockingQueue<Frame> inbox, int count)
            throws InterruptedException {
        List<Delivery> deliveries = new ArrayList<>();
        while (deliveries.size() < count) {
            Frame frame =
                    Objects.requireNonNull(
                            inbox.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS), "no frame came");
            if (frame instanceof Frame.Deliver deliver) {
                deliveries.addAll(deliver.deliveries());
            }
        }
        return deliveries;
    }

    List<Map<String, Object>> history(String channel, long after, int limit) {
        return messages(
                Addresses.MESSAGING_HISTORY,
                Map.of("channel", channel, "after", after, "limit", (long) limit));
    }

    @SuppressWarnings("unchecked")
    List<Map<String, Object>> messages(String address, Map<String, @Nullable Object> params) {
        return (List<Map<String, Object>>)
                Objects.requireNonNull(call(address, params).get("messages"));
    }

    @SuppressWarnings("unchecked")
    Map<String, Object> stats(String channel) {
        Map<String, Object> channels =
                (Map<String, Object>)
                        Objects.requireNonNull(
                                call(Addresses.MESSAGING_STATS, Map.of()).get("channels"));
        return (Map<String, Object>) Objects.requireNonNull(channels.get(channel));
    }

    Map<String, @Nullable Object> call(String address, Map<String, @Nullable Object> given) {
        Map<String, @Nullable Object> params = new HashMap<>(given);
        params.putIfAbsent("namespace", "atlas");
        Request request = new Request(address, new Params(params), List.of(), "c-1");
        return await(Services.call(vertx, request, PATIENCE)).result();
    }

    static void assertFails(ErrorCode code, Runnable action) {
        assertThatThrownBy(action::run)
                .isInstanceOf(NeuralCoreException.class)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(code);
    }

    static <T> T await(Future<T> future) {
        try {
            return future.await(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError(e);
        }
    }
}
