package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static verticles.FrameClient.json;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import neuralcore.bridge.Greeting;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Settlement;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The bus through the door: binary and JSON clients, credit, rejections, the end of a client. */
@Timeout(60)
class MessagingOverTheBridgeTest {
    private static final String TOKEN = "0123456789abcdef0123456789abcdef";

    @TempDir Path folder;
    private Vertx vertx;
    private Path socket;

    @BeforeEach
    void start() throws Exception {
        vertx = Vertx.vertx();
        Services.registerCodecs(vertx.eventBus());
        socket = folder.resolve("d.sock");
        SimpleMeterRegistry meters = new SimpleMeterRegistry();
        RuntimeConfig.Bridge config =
                new RuntimeConfig.Bridge(
                        socket,
                        "127.0.0.1",
                        0,
                        1 << 20,
                        1 << 24,
                        20,
                        100,
                        100,
                        8 << 20,
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(30),
                        Duration.ofSeconds(5),
                        0,
                        0,
                        List.of("neuralcore.messaging.*", "neuralcore.bus.*"),
                        List.of("neuralcore.bus.open.*"));
        BusVerticle bus =
                new BusVerticle(
                        new RuntimeConfig.Bus(5_000, 100),
                        meters,
                        () -> System.nanoTime() / 1_000_000);
        vertx.deployVerticle(bus).await(30, TimeUnit.SECONDS);
        vertx.deployVerticle(
                        new BridgeVerticle(
                                config,
                                new Token(TOKEN),
                                new Greeting("test", List.of("bus")),
                                meters))
                .await(30, TimeUnit.SECONDS);
    }

    @AfterEach
    void stop() throws Exception {
        vertx.close().await(30, TimeUnit.SECONDS);
    }

    @Test
    void aSubscriberGetsTheMostUrgentFirst() throws IOException {
        try (FrameClient publisher = FrameClient.unix(socket);
                FrameClient subscriber = FrameClient.unix(socket)) {
            subscribe(subscriber, 1, 0);
            publish(publisher, true, message(1, 9), message(2, -4), message(3, 0), message(4, 9));
            assertThat(published(publisher).accepted()).isEqualTo(4);
            subscriber.send(new Frame.Credit(List.of(new Frame.Grant(1, 10))));
            assertThat(sequences(subscriber, 4)).containsExactly(2L, 3L, 1L, 4L);
        }
    }

    @Test
    void creditLargerThanTheWindowIsPassedOnAsTheSocketTakes() throws IOException {
        int messages = 4_000;
        try (FrameClient publisher = FrameClient.unix(socket);
                FrameClient subscriber = FrameClient.unix(socket)) {
            subscribe(subscriber, 1, 1_000_000);
            for (int i = 0; i < messages; i += 100) {
                Envelope[] batch = new Envelope[100];
                for (int j = 0; j < 100; j++) {
                    batch[j] = message(i + j, 5);
                }
                publish(publisher, false, batch);
            }
            List<Long> received = sequences(subscriber, messages);
            for (int i = 0; i < messages; i++) {
                assertThat(received.get(i)).isEqualTo(i);
            }
        }
    }

    @Test
    void manySubscriptionsOfOneConnectionGetAllTheyAreOwed() throws IOException {
        int subscriptions = 50;
        int messages = 100;
        try (FrameClient publisher = FrameClient.unix(socket);
                FrameClient subscriber = FrameClient.unix(socket)) {
            for (int i = 1; i <= subscriptions; i++) {
                subscribe(subscriber, i, 1_000);
            }
            byte[] body = "\"%s\"".formatted("x".repeat(15_000)).getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < messages; i++) {
                publish(publisher, true, message("c", i, 5, Envelope.JSON, body));
                published(publisher);
            }
            // 75 MB by now, if all of it were under way at once; twice 16 MiB would be too much.
            Map<Integer, List<Long>> received = new HashMap<>();
            for (int left = subscriptions * messages; left > 0; ) {
                for (Delivery one : ((Frame.Deliver) subscriber.receive()).deliveries()) {
                    received.computeIfAbsent(one.subscription(), id -> new ArrayList<>())
                            .add(one.envelope().sequence());
                    left--;
                }
            }
            assertThat(received).hasSize(subscriptions);
            assertThat(received.values())
                    .allSatisfy(
                            all ->
                                    assertThat(all)
                                            .containsExactlyElementsOf(
                                                    LongStream.range(0, messages)
                                                            .boxed()
                                                            .toList()));
        }
    }

    @Test
    void whatManyRegistrationsAreOwedWaitsForTheirReader() throws IOException {
        int channels = 10;
        int messages = 100;
        try (FrameClient publisher = FrameClient.unix(socket);
                FrameClient subscriber = FrameClient.unix(socket)) {
            for (int i = 0; i < channels; i++) {
                subscriber.send(json("type", "register", "address", "neuralcore.bus.open.c" + i));
            }
            ping(subscriber);
            // A control character is one byte in MessagePack and six in JSON.
            ByteBuffer text = ByteBuffer.allocate(5 + 15_000).put((byte) 0xdb).putInt(15_000);
            while (text.hasRemaining()) {
                text.put((byte) 1);
            }
            for (int i = 0; i < channels * messages; i++) {
                String channel = "c" + i % channels;
                publish(publisher, true, message(channel, i, 5, Envelope.MSGPACK, text.array()));
                published(publisher);
            }
            for (int left = channels * messages; left > 0; left--) {
                assertThat(subscriber.receiveText()).containsEntry("type", "message");
            }
        }
    }

    @Test
    void aJsonClientCannotSubscribeAsBinaryOnesDo() throws IOException {
        try (FrameClient client = FrameClient.unix(socket)) {
            client.send(
                    json(
                            "type",
                            "send",
                            "address",
                            Addresses.MESSAGING_SUBSCRIBE,
                            "replyAddress",
                            "r",
                            "body",
                            json("namespace", "closed", "channel", "c", "subscription", 1)));

            assertThat(client.receiveText())
                    .containsEntry("failureCode", (long) ErrorCode.INVALID_REQUEST.number());
        }
    }

    @Test
    void aFullQueueIsToldByMessage() throws IOException {
        try (FrameClient publisher = FrameClient.unix(socket);
                FrameClient subscriber = FrameClient.unix(socket)) {
            publisher.call(
                    Addresses.MESSAGING_CREATE,
                    json("namespace", "open", "channel", "c", "max_queue_size", 2));
            subscribe(subscriber, 1, 0);
            publish(publisher, false, message(1, 5), message(2, 5), message(3, 5));
            assertThat(publisher.receive())
                    .isEqualTo(new Frame.Flow("open", List.of(new Frame.Room("c", 0))));
            assertThat(published(publisher).rejections())
                    .containsExactly(new Frame.Rejection(3, ErrorCode.QUEUE_FULL));
        }
    }

    @Test
    void deliveriesAreSettledOverTheSocketAndComeBackByTheClock() throws IOException {
        try (FrameClient publisher = FrameClient.unix(socket);
                FrameClient subscriber = FrameClient.unix(socket)) {
            Frame answer =
                    subscriber.call(
                            Addresses.MESSAGING_SUBSCRIBE,
                            json(
                                    "namespace",
                                    "open",
                                    "channel",
                                    "*",
                                    "subscription",
                                    1,
                                    "credit",
                                    1,
                                    "ack",
                                    "explicit",
                                    "backoff",
                                    json("initial", 0.03, "jitter", 0)));
            assertThat(answer).isInstanceOf(Frame.Answer.class);
            publish(publisher, false, message(1, 5), message(2, 6));

            Delivery first = ((Frame.Deliver) subscriber.receive()).deliveries().getFirst();
            Settlement nack =
                    new Settlement(
                            1,
                            Settlement.Kind.NACK,
                            first.sequence(),
                            Settlement.BY_BACKOFF,
                            "{\"error\": \"not yet\"}");
            subscriber.send(new Frame.Settle(9, true, List.of(nack)));
            Delivery second = ((Frame.Deliver) subscriber.receive()).deliveries().getFirst();
            assertThat(second.envelope().sequence()).isEqualTo(2);
            assertThat(subscriber.receive()).isEqualTo(new Frame.Settled(9, 1, 0));
            subscriber.send(
                    new Frame.Settle(10, false, List.of(Settlement.ack(1, second.sequence()))));
            Delivery again = ((Frame.Deliver) subscriber.receive()).deliveries().getFirst();
            assertThat(again.sequence()).isEqualTo(first.sequence());
            assertThat(again.attempt()).isEqualTo(2);
            Settlement done = Settlement.ack(1, again.sequence());
            subscriber.send(new Frame.Settle(11, true, List.of(done, done)));
            assertThat(subscriber.receive()).isEqualTo(new Frame.Settled(11, 1, 1));
        }
    }

    @Test
    void aDelayedMessageComesByTheClock() throws IOException {
        try (FrameClient client = FrameClient.unix(socket)) {
            subscribe(client, 1, 10);
            Envelope now = message(2, 5);
            Envelope later =
                    new Envelope(
                            "c",
                            1,
                            1,
                            0,
                            5,
                            0,
                            40,
                            Envelope.JSON,
                            Envelope.NONE,
                            now.body(),
                            now.payloadLength());
            publish(client, false, later, now);

            assertThat(sequences(client, 2)).containsExactly(2L, 1L);
        }
    }

    @Test
    void anEvictionIsToldToThePublisherOfTheEvicted() throws IOException {
        try (FrameClient publisher = FrameClient.unix(socket);
                FrameClient subscriber = FrameClient.unix(socket)) {
            publisher.call(
                    Addresses.MESSAGING_CREATE,
                    json(
                            "namespace",
                            "open",
                            "channel",
                            "c",
                            "max_queue_size",
                            1,
                            "drop_policy",
                            "drop_old"));
            subscribe(subscriber, 1, 0);
            publish(publisher, true, message(1, 5));
            assertThat(published(publisher).accepted()).isEqualTo(1);
            publish(publisher, false, message(2, 3));
            assertThat(published(publisher).rejections())
                    .containsExactly(new Frame.Rejection(1, ErrorCode.QUEUE_FULL));
        }
    }

    @Test
    void jsonAndBinaryClientsShareAChannel() throws IOException {
        String address = "neuralcore.bus.open.c";
        try (FrameClient binary = FrameClient.unix(socket);
                FrameClient text = FrameClient.unix(socket)) {
            text.send(json("type", "register", "address", address));
            subscribe(binary, 7, 10);
            ping(text);
            publish(binary, false, message(1, 3));
            Map<String, Object> received = text.receiveText();
            assertThat(received)
                    .containsEntry("type", "message")
                    .containsEntry("address", address)
                    .containsEntry("body", Map.of("n", 1L));
            binary.receive();

            text.send(
                    json(
                            "type",
                            "send",
                            "address",
                            address,
                            "replyAddress",
                            "r",
                            "headers",
                            json("priority", 2),
                            "body",
                            json("from", "json")));
            Frame.Deliver deliver = (Frame.Deliver) binary.receive();
            Envelope envelope = deliver.deliveries().getFirst().envelope();
            assertThat(envelope.payloadText()).isEqualTo("{\"from\":\"json\"}");
            assertThat(envelope.priority()).isEqualTo(2);
            List<Map<String, Object>> frames = List.of(text.receiveText(), text.receiveText());
            assertThat(frames)
                    .anySatisfy(
                            frame ->
                                    assertThat(frame)
                                            .containsEntry("address", "r")
                                            .containsEntry("body", Map.of("id", envelope.id())));

            text.send(json("type", "unregister", "address", address));
            ping(text);
            publish(binary, false, message(2, 3));
            binary.receive();
            ping(text);
        }
    }

    @Test
    void channelsFollowTheListsOfAddresses() throws IOException {
        try (FrameClient client = FrameClient.unix(socket)) {
            Frame frame =
                    client.call(
                            Addresses.MESSAGING_SUBSCRIBE,
                            json("namespace", "closed", "channel", "c", "subscription", 1));
            assertThat(((Frame.Failure) frame).error()).containsEntry("code", "ACCESS_DENIED");
            client.send(json("type", "register", "address", "neuralcore.bus.closed.c"));
        }
    }

    @Test
    void aPrivateNamespaceEndsWithItsClient() throws IOException {
        try (FrameClient owner = FrameClient.unix(socket)) {
            owner.call(Addresses.MESSAGING_CREATE, json("namespace", "private-1", "channel", "c"));
            assertThat(owner.call(Addresses.MESSAGING_STATS, json("namespace", "private-1")))
                    .isInstanceOf(Frame.Answer.class);
        }
        try (FrameClient other = FrameClient.unix(socket)) {
            Frame frame = other.call(Addresses.MESSAGING_STATS, json("namespace", "private-1"));
            while (frame instanceof Frame.Answer answer
                    && !((Map<?, ?>) answer.result().get("channels")).isEmpty()) {
                frame = other.call(Addresses.MESSAGING_STATS, json("namespace", "private-1"));
            }
        }
    }

    private static void ping(FrameClient client) throws IOException {
        client.send(json("type", "ping"));
        assertThat(client.receiveText()).containsEntry("type", "pong");
    }

    private static void subscribe(FrameClient client, int subscription, int credit)
            throws IOException {
        Frame frame =
                client.call(
                        Addresses.MESSAGING_SUBSCRIBE,
                        json(
                                "namespace",
                                "open",
                                "channel",
                                "c",
                                "subscription",
                                subscription,
                                "credit",
                                credit));
        assertThat(frame).isInstanceOf(Frame.Answer.class);
    }

    private static void publish(FrameClient client, boolean confirm, Envelope... messages)
            throws IOException {
        Frame.Confirm wanted = confirm ? Frame.Confirm.ACCEPTED : Frame.Confirm.NONE;
        client.send(new Frame.Publish(1, wanted, "open", List.of(messages)));
    }

    private static Frame.Published published(FrameClient client) throws IOException {
        return (Frame.Published) client.receive();
    }

    private static List<Long> sequences(FrameClient client, int count) throws IOException {
        List<Long> sequences = new ArrayList<>();
        while (sequences.size() < count) {
            for (Delivery delivery : ((Frame.Deliver) client.receive()).deliveries()) {
                sequences.add(delivery.envelope().sequence());
            }
        }
        return sequences;
    }

    private static Envelope message(long sequence, long priority) {
        return message(
                "c",
                sequence,
                priority,
                Envelope.JSON,
                ("{\"n\":" + sequence + "}").getBytes(StandardCharsets.UTF_8));
    }

    private static Envelope message(
            String channel, long sequence, long priority, byte type, byte[] payload) {
        return new Envelope(
                channel,
                1,
                sequence,
                0,
                priority,
                0,
                0,
                type,
                Envelope.NONE,
                payload,
                payload.length);
    }
}
