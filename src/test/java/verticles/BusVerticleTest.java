package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.junit5.VertxExtension;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.CreditBatch;
import neuralcore.eventbus.PublishBatch;
import neuralcore.eventbus.Services;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(VertxExtension.class)
class BusVerticleTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final AtomicLong clock = new AtomicLong(1_000);
    private Vertx vertx;
    private String deployment;

    @BeforeEach
    void deploy(Vertx provided) {
        vertx = provided;
        Services.registerCodecs(vertx.eventBus());
        deployment =
                await(
                        vertx.deployVerticle(
                                new BusVerticle(
                                        new RuntimeConfig.Bus(1000, 100), registry, clock::get)));
    }

    @Test
    void whatIsPublishedReachesItsSubscriberByPriorityInOneFrame() throws Exception {
        BlockingQueue<Frame> inbox = inbox("c-1");
        subscribe("c-1", 7, "jobs", 100);

        Frame.Published published = publish("c-2", 3, message("jobs", 9, 1), message("jobs", 0, 2));

        assertThat(published).isEqualTo(new Frame.Published(3, 2, List.of()));
        Frame.Deliver frame = (Frame.Deliver) next(inbox);
        assertThat(frame.deliveries())
                .extracting(d -> d.subscription() + ":" + d.envelope().sequence())
                .containsExactly("7:2", "7:1");
        assertThat(frame.deliveries())
                .extracting(Delivery::channelSequence)
                .containsExactly(2L, 1L);
    }

    @Test
    void creditReleasesWhatWaits() throws Exception {
        BlockingQueue<Frame> inbox = inbox("c-1");
        subscribe("c-1", 7, "jobs", 0);
        publish("c-2", 1, message("jobs", 5, 1), message("jobs", 5, 2));

        vertx.eventBus()
                .send(
                        Addresses.BUS_CREDIT,
                        new CreditBatch("c-1", new Frame.Credit(List.of(new Frame.Grant(7, 1)))));

        assertThat(((Frame.Deliver) next(inbox)).deliveries()).hasSize(1);
        assertThat(stats("jobs")).containsEntry("queued", 1L).containsEntry("delivered", 1L);
    }

    @Test
    void afterTheConnectionClosedItsSubscriptionsAreGone() {
        subscribe("c-1", 7, "jobs", 100);

        vertx.eventBus().publish(Addresses.CONNECTION_CLOSED, "c-1");
        publish("c-2", 1, message("jobs", 5, 1));

        assertThat(stats("jobs")).containsEntry("subscriptions", 0L).containsEntry("unrouted", 1L);
    }

    @Test
    void unsubscribingTwiceIsAnError() {
        subscribe("c-1", 7, "jobs", 100);
        Map<String, @Nullable Object> params = Map.of("subscription", 7L);

        call(Addresses.MESSAGING_UNSUBSCRIBE, "c-1", params);

        assertFails(
                ErrorCode.NOT_FOUND, () -> call(Addresses.MESSAGING_UNSUBSCRIBE, "c-1", params));
    }

    @Test
    void aFullChannelTellsThePublisher() throws Exception {
        BlockingQueue<Frame> publisher = inbox("c-2");
        Map<String, @Nullable Object> channel =
                Map.of(
                        "namespace", "atlas",
                        "channel", "jobs",
                        "max_queue_size", 1L,
                        "drop_policy", "drop_old");
        assertThat(call(Addresses.MESSAGING_CREATE, "c-1", channel).result())
                .containsEntry("created", true);
        assertThat(call(Addresses.MESSAGING_CREATE, "c-1", channel).result())
                .containsEntry("created", false);
        subscribe("c-1", 7, "jobs", 0);
        publish("c-2", 1, message("jobs", 5, 1));

        Frame.Published worse = publish("c-3", 1, message("jobs", 6, 2));
        publish("c-3", 2, message("jobs", 1, 3));

        assertThat(worse)
                .isEqualTo(
                        new Frame.Published(
                                1, 0, List.of(new Frame.Rejection(2, ErrorCode.QUEUE_FULL))));
        assertThat(next(publisher))
                .isEqualTo(
                        new Frame.Published(
                                0, 0, List.of(new Frame.Rejection(1, ErrorCode.QUEUE_FULL))));
    }

    @Test
    void aBatchForAnothersNamespaceIsRejectedMessageByMessage() {
        publish("private-mine", "c-1", 1, message("jobs", 5, 1));

        assertThat(publish("private-mine", "c-2", 4, message("jobs", 5, 1)))
                .isEqualTo(
                        new Frame.Published(
                                4, 0, List.of(new Frame.Rejection(1, ErrorCode.ACCESS_DENIED))));

        call(Addresses.MESSAGING_CLOSE, "c-1", Map.of("namespace", "private-mine"));
        assertThat(publish("private-mine", "c-2", 5, message("jobs", 5, 1)).accepted())
                .isEqualTo(1);
    }

    @Test
    void badParametersAreRefusedByName() {
        assertFails(ErrorCode.INVALID_REQUEST, () -> subscribe("c-1", 1, "jobs", -1));
        assertFails(ErrorCode.INVALID_REQUEST, () -> subscribe("c-1", 1L << 32, "jobs", 1));
        assertFails(
                ErrorCode.INVALID_REQUEST, () -> call(Addresses.MESSAGING_STATS, "c-1", Map.of()));
        assertFails(
                ErrorCode.INVALID_REQUEST,
                () ->
                        call(
                                Addresses.MESSAGING_CREATE,
                                "c-1",
                                Map.of(
                                        "namespace",
                                        "atlas",
                                        "channel",
                                        "jobs",
                                        "drop_policy",
                                        "drop_all")));
    }

    @Test
    void timeComesFromTheClockGivenAndMetersFollow() throws Exception {
        subscribe("c-1", 7, "jobs", 0);
        publish("c-2", 1, message("jobs", 5, 1, 500));

        clock.addAndGet(501);

        awaitMeter("neuralcore.bus.expired", 1);
        assertThat(registry.get("neuralcore.bus.published").functionCounter().count()).isOne();
        assertThat(registry.get("neuralcore.bus.queued").gauge().value()).isZero();
        assertThat(registry.get("neuralcore.bus.subscriptions").gauge().value()).isOne();
        await(vertx.undeploy(deployment));
        assertThat(registry.getMeters()).isEmpty();
    }

    private void awaitMeter(String name, double value) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (registry.get(name).functionCounter().count() != value) {
            assertThat(System.nanoTime()).as(name).isLessThan(deadline);
            Thread.sleep(5);
        }
    }

    private BlockingQueue<Frame> inbox(String connection) {
        BlockingQueue<Frame> frames = new LinkedBlockingQueue<>();
        await(
                vertx.eventBus()
                        .<Frame>consumer(
                                Addresses.deliveries(connection),
                                message -> frames.add(message.body()))
                        .completion());
        return frames;
    }

    private static Frame next(BlockingQueue<Frame> inbox) throws InterruptedException {
        return Objects.requireNonNull(
                inbox.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS), "no frame came");
    }

    private Frame.Published publish(String connection, int batch, Envelope... messages) {
        return publish("atlas", connection, batch, messages);
    }

    private Frame.Published publish(
            String namespace, String connection, int batch, Envelope... messages) {
        Frame.Publish frame =
                new Frame.Publish(batch, Frame.Confirm.ACCEPTED, namespace, List.of(messages));
        return await(
                vertx.eventBus()
                        .<Frame.Published>request(
                                Addresses.BUS_PUBLISH,
                                new PublishBatch(connection, connection, frame))
                        .map(message -> message.body()));
    }

    private void subscribe(String connection, long subscription, String channel, long credit) {
        call(
                Addresses.MESSAGING_SUBSCRIBE,
                connection,
                Map.of(
                        "namespace", "atlas",
                        "channel", channel,
                        "subscription", subscription,
                        "credit", credit));
    }

    @SuppressWarnings("unchecked")
    private Map<String, Object> stats(String channel) {
        Reply reply = call(Addresses.MESSAGING_STATS, "c-9", Map.of("namespace", "atlas"));
        Map<String, Object> channels =
                (Map<String, Object>) Objects.requireNonNull(reply.result().get("channels"));
        return (Map<String, Object>) Objects.requireNonNull(channels.get(channel));
    }

    private Reply call(String address, String connection, Map<String, @Nullable Object> params) {
        Request request = new Request(address, new Params(params), List.of(), connection);
        return await(Services.call(vertx, request, PATIENCE));
    }

    private static void assertFails(ErrorCode code, Runnable action) {
        assertThatThrownBy(action::run)
                .isInstanceOf(NeuralCoreException.class)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(code);
    }

    private static Envelope message(String channel, long priority, long sequence) {
        return message(channel, priority, sequence, 0);
    }

    private static Envelope message(String channel, long priority, long sequence, int ttlMillis) {
        byte[] body = "{}".getBytes(StandardCharsets.UTF_8);
        return new Envelope(
                channel,
                1,
                sequence,
                0,
                priority,
                ttlMillis,
                0,
                Envelope.JSON,
                Envelope.NONE,
                body,
                body.length);
    }

    private static <T> T await(Future<T> future) {
        try {
            return future.await(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError("No answer within " + PATIENCE, e);
        }
    }
}
