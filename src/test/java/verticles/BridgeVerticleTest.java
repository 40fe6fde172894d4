package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static verticles.FrameClient.json;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import neuralcore.bridge.Greeting;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Reply;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The door with a real Vert.x behind it and real sockets before it. */
@Timeout(60)
class BridgeVerticleTest {
    private static final String TOKEN = "0123456789abcdef0123456789abcdef";

    @TempDir Path folder;
    private Vertx vertx;
    private BridgeVerticle bridge;
    private Path socket;

    @BeforeEach
    void start() throws Exception {
        vertx = Vertx.vertx();
        Services.registerCodecs(vertx.eventBus());
        socket = folder.resolve("d.sock");
        bridge =
                new BridgeVerticle(
                        config(Duration.ofSeconds(30)),
                        new Token(TOKEN),
                        new Greeting("test", List.of("bus")),
                        new SimpleMeterRegistry());
        vertx.deployVerticle(bridge).await(30, TimeUnit.SECONDS);
        Services.offer(
                vertx,
                Addresses.SYSTEM_ECHO,
                request ->
                        Future.succeededFuture(
                                new Reply(request.params().values(), request.tensors())));
        Services.offer(
                vertx,
                "neuralcore.system.broken",
                request -> {
                    throw NeuralCoreException.invalid("'x' is 3; it must be 4.");
                });
    }

    @AfterEach
    void stop() throws Exception {
        vertx.close().await(30, TimeUnit.SECONDS);
    }

    private RuntimeConfig.Bridge config(Duration idle) {
        return new RuntimeConfig.Bridge(
                socket,
                "127.0.0.1",
                0,
                64 * 1024,
                1 << 20,
                20,
                5,
                4,
                1 << 20,
                Duration.ofSeconds(2),
                idle,
                Duration.ofSeconds(1),
                0,
                0,
                List.of("neuralcore.system.*", "neuralcore.bus.*", "test.*"),
                List.of("neuralcore.bus.*", "test.*"));
    }

    private FrameClient client() throws IOException {
        return FrameClient.tcp(bridge.port()).authenticate(TOKEN);
    }

    @Test
    void theUnixSocketIsTheUsersOwnAndNeedsNoToken() throws IOException {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                .isEqualTo("rw-------");
        try (FrameClient client = FrameClient.unix(socket)) {
            client.send(json("type", "ping"));
            assertThat(client.receiveText()).containsEntry("type", "pong");
        }
    }

    @Test
    void tcpNeedsTheToken() throws IOException {
        try (FrameClient client = FrameClient.tcp(bridge.port())) {
            // The PyPI client pings before it can send anything else.
            client.send(json("type", "ping"));
            assertThat(client.receiveText()).containsEntry("type", "pong");
            client.send(json("type", "register", "address", "chat.room"));
            assertThat(client.receiveText()).containsEntry("code", "UNAUTHENTICATED");
            assertThat(client.isClosedByDaemon()).isTrue();
        }
        try (FrameClient client = FrameClient.tcp(bridge.port())) {
            assertThatThrownBy(() -> client.authenticate("wrong")).hasMessageContaining("wrong");
            assertThat(client.isClosedByDaemon()).isTrue();
        }
        try (FrameClient client = FrameClient.tcp(bridge.port())) {
            client.send(json("type", "ping", "headers", json("token", TOKEN)));
            assertThat(client.receiveText()).containsEntry("type", "pong");
        }
    }

    @Test
    void whoStaysSilentBeforeTheTokenIsClosed() throws IOException {
        try (FrameClient client = FrameClient.tcp(bridge.port())) {
            assertThat(client.receiveText()).containsEntry("code", "UNAUTHENTICATED");
            assertThat(client.isClosedByDaemon()).isTrue();
        }
    }

    @Test
    void theAnswerToTheTokenTellsVersionLimitsAndFeatures() throws IOException {
        try (FrameClient client = FrameClient.tcp(bridge.port())) {
            client.send(json("type", "auth", "token", TOKEN, "protocol", 1));
            Map<String, Object> answer = client.receiveText();
            assertThat(answer)
                    .containsEntry("ok", true)
                    .containsEntry("version", "test")
                    .containsEntry("protocol", 1L)
                    .containsEntry("features", List.of("bus"));
            assertThat((Map<?, ?>) answer.get("limits")).hasSize(4);
        }
    }

    @Test
    void anotherProtocolIsRefusedByName() throws IOException {
        try (FrameClient client = FrameClient.tcp(bridge.port())) {
            client.send(json("type", "auth", "token", TOKEN, "protocol", 99));
            assertThat(client.receiveText()).containsEntry("code", "VERSION_MISMATCH");
        }
    }

    @Test
    void aClientThatNamesItselfIsTheSameOverItsConnections() throws IOException {
        Services.offer(
                vertx,
                "neuralcore.system.who",
                request ->
                        Future.succeededFuture(
                                Reply.of(
                                        json(
                                                "client",
                                                request.client(),
                                                "connection",
                                                request.connection()))));
        String name = "0123456789abcdef-a";
        try (FrameClient one = client();
                FrameClient other = client();
                FrameClient nameless = client()) {
            for (FrameClient client : List.of(one, other)) {
                client.send(json("type", "auth", "token", TOKEN, "client_id", name));
                assertThat(client.receiveText()).containsEntry("ok", true);
                assertThat(who(client)).containsEntry("client", name);
            }
            assertThat(who(one).get("connection")).isNotEqualTo(who(other).get("connection"));
            Map<String, Object> unnamed = who(nameless);
            assertThat(unnamed.get("client")).isEqualTo(unnamed.get("connection"));
        }
    }

    private static Map<String, Object> who(FrameClient client) throws IOException {
        return ((Frame.Answer) client.call("neuralcore.system.who", json())).result();
    }

    @Test
    void aClientsNameThatCouldBeGuessedOrIsNoNameIsRefused() throws IOException {
        for (String name : List.of("", "short", "0123456789abcdef!", "a".repeat(65))) {
            try (FrameClient client = FrameClient.tcp(bridge.port())) {
                client.send(json("type", "auth", "token", TOKEN, "client_id", name));
                assertThat(client.receiveText()).containsEntry("code", "INVALID_REQUEST");
                assertThat(client.isClosedByDaemon()).isTrue();
            }
        }
    }

    @Test
    void aCallCarriesArraysThereAndBack() throws IOException {
        try (FrameClient client = client()) {
            Frame frame =
                    client.call(
                            Addresses.SYSTEM_ECHO,
                            json("a", 1L),
                            Tensor.ofFloats(new float[] {1.5f, -2f, 3f}),
                            Tensor.ofStrings(List.of("é", "")));
            Frame.Answer answer = (Frame.Answer) frame;
            assertThat(answer.result()).containsEntry("a", 1L);
            assertThat(answer.tensors().get(0).toFloatArray()).containsExactly(1.5f, -2f, 3f);
            assertThat(answer.tensors().get(1).toStrings()).containsExactly("é", "");
        }
    }

    @Test
    void aRefusalSaysWhenToTryAgain() throws IOException {
        Services.offer(
                vertx,
                "neuralcore.system.busy",
                request -> {
                    throw new NeuralCoreException(ErrorCode.UNAVAILABLE, "Not now.", 1.5);
                });
        try (FrameClient client = client()) {
            Frame.Failure failure = (Frame.Failure) client.call("neuralcore.system.busy", Map.of());
            assertThat(failure.error())
                    .containsEntry("code", "UNAVAILABLE")
                    .containsEntry("retry_after", 1.5);
        }
    }

    @Test
    void failuresNameTheirCode() throws IOException {
        try (FrameClient client = client()) {
            assertFailure(
                    client.call("neuralcore.system.broken", Map.of()),
                    "INVALID_REQUEST",
                    "'x' is 3");
            assertFailure(
                    client.call("neuralcore.system.none", Map.of()), "UNKNOWN_ADDRESS", "none");
            assertFailure(
                    client.call("neuralcore.vectors.list", Map.of()), "ACCESS_DENIED", "inbound");
            assertFailure(
                    client.call(Addresses.BUS_PUBLISH, Map.of()),
                    "ACCESS_DENIED",
                    Addresses.BUS_PUBLISH);
        }
    }

    private static void assertFailure(Frame frame, String code, String message) {
        assertThat(frame).isInstanceOf(Frame.Failure.class);
        Frame.Failure failure = (Frame.Failure) frame;
        assertThat(failure.error()).containsEntry("code", code);
        assertThat((String) failure.error().get("message")).contains(message);
    }

    @Test
    void aCallWithJsonBeyondTheLimitsFailsByItself() throws IOException {
        try (FrameClient client = FrameClient.unix(socket)) {
            List<Integer> many = Collections.nCopies(100_000, 1);
            assertFailure(
                    client.call(Addresses.SYSTEM_ECHO, json("a", many)),
                    "FRAME_TOO_LARGE",
                    "parts");
            Object deep = 1;
            for (int i = 0; i < 100; i++) {
                deep = List.of(deep);
            }
            Frame failure = client.call(Addresses.SYSTEM_ECHO, json("a", deep));
            assertFailure(failure, "MALFORMED_FRAME", "64");
            assertThat(((Frame.Failure) failure).correlation()).isEqualTo(2);
            assertThat(client.call(Addresses.SYSTEM_ECHO, json())).isInstanceOf(Frame.Answer.class);
        }
    }

    @Test
    void servicesAnswerJsonClientsToo() throws IOException {
        try (FrameClient client = client()) {
            client.send(
                    json(
                            "type",
                            "send",
                            "address",
                            Addresses.SYSTEM_ECHO,
                            "replyAddress",
                            "r1",
                            "body",
                            json("k", "v")));
            Map<String, Object> reply = client.receiveText();
            assertThat(reply).containsEntry("type", "message").containsEntry("address", "r1");
            assertThat(reply.get("body")).isEqualTo(Map.of("k", "v"));
            client.send(
                    json(
                            "type",
                            "send",
                            "address",
                            "neuralcore.system.broken",
                            "replyAddress",
                            "r2",
                            "body",
                            json()));
            assertThat(client.receiveText())
                    .containsEntry("type", "err")
                    .containsEntry("address", "r2")
                    .containsEntry("code", "INVALID_REQUEST");
        }
    }

    @Test
    void clientsTalkToEachOtherAndReply() throws IOException {
        try (FrameClient asker = client();
                FrameClient answerer = client()) {
            answerer.send(json("type", "register", "address", "test.echo"));
            answerer.send(json("type", "ping"));
            assertThat(answerer.receiveText()).containsEntry("type", "pong");
            asker.send(
                    json(
                            "type",
                            "send",
                            "address",
                            "test.echo",
                            "replyAddress",
                            "r",
                            "body",
                            json("n", 1),
                            "headers",
                            json("h", "1", "codecName", "nonsense")));
            Map<String, Object> question = answerer.receiveText();
            assertThat(question).containsEntry("body", Map.of("n", 1L)).containsEntry("send", true);
            answerer.send(
                    json(
                            "type",
                            "send",
                            "address",
                            question.get("replyAddress"),
                            "body",
                            List.of(1, "two")));
            assertThat(asker.receiveText())
                    .containsEntry("address", "r")
                    .containsEntry("body", List.of(1L, "two"));

            asker.send(
                    json(
                            "type",
                            "send",
                            "address",
                            "test.echo",
                            "replyAddress",
                            "r2",
                            "body",
                            "again"));
            question = answerer.receiveText();
            answerer.send(
                    json(
                            "type",
                            "send",
                            "address",
                            question.get("replyAddress"),
                            "failureCode",
                            42,
                            "message",
                            "no"));
            assertThat(asker.receiveText())
                    .containsEntry("type", "err")
                    .containsEntry("failureCode", 42L)
                    .containsEntry("message", "no");
        }
    }

    @Test
    void aSecondRegistrationDoesNotDoubleMessages() throws IOException {
        try (FrameClient client = client()) {
            client.send(json("type", "register", "address", "test.a"));
            client.send(json("type", "register", "address", "test.a"));
            client.send(json("type", "ping"));
            client.receiveText();
            vertx.eventBus().publish("test.a", new JsonObject().put("n", 1));
            assertThat(client.receiveText()).containsEntry("body", Map.of("n", 1L));
            client.send(json("type", "unregister", "address", "test.a"));
            client.send(json("type", "ping"));
            assertThat(client.receiveText()).containsEntry("type", "pong");
            vertx.eventBus().publish("test.a", "late");
            client.send(json("type", "ping"));
            assertThat(client.receiveText()).containsEntry("type", "pong");
        }
    }

    @Test
    void addressesAreDeniedByDefault() throws IOException {
        try (FrameClient client = client()) {
            for (String verb : List.of("send", "publish", "register")) {
                client.send(json("type", verb, "address", "other.place", "body", "x"));
                assertThat(client.receiveText()).containsEntry("code", "ACCESS_DENIED");
                client.send(
                        json(
                                "type",
                                verb,
                                "address",
                                Addresses.INTERNAL_PREFIX + "x",
                                "body",
                                "x"));
                assertThat(client.receiveText()).containsEntry("code", "ACCESS_DENIED");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"type\":\"nonsense\"}",
                "{}",
                "{\"type\":5}",
                "{\"type\":\"send\"}",
                "{\"type\":\"send\",\"address\":7}",
                "{\"type\":\"unregister\",\"address\":\"test.never\"}",
                "{\"type\":\"publish\",\"address\":\"neuralcore.bus.nochannel\",\"body\":1}",
                "{\"type\":\"publish\",\"address\":\"neuralcore.bus.n.c\",\"body\":1,\"headers\":{\"priority\":\"x\"}}",
                "{\"type\":\"send\",\"address\":\"neuralcore.system.echo\",\"body\":[1]}",
                "{not json",
                "{\"a\":1,\"a\":2}"
            })
    void aBadFrameIsAnsweredAndTheConnectionLives(String text) throws IOException {
        try (FrameClient client = client()) {
            byte[] payload = text.getBytes(StandardCharsets.UTF_8);
            client.sendBytes(java.nio.ByteBuffer.allocate(4).putInt(payload.length).array());
            client.sendBytes(payload);
            assertThat(client.receiveText()).containsEntry("type", "err");
            client.send(json("type", "ping"));
            assertThat(client.receiveText()).containsEntry("type", "pong");
        }
    }

    @Test
    void aBadLengthIsToldAndTheConnectionCloses() throws IOException {
        for (int length : new int[] {0, -1, Integer.MAX_VALUE, 1 << 21}) {
            try (FrameClient client = client()) {
                client.sendBytes(
                        java.nio.ByteBuffer.allocate(5).putInt(length).put((byte) 1).array());
                assertThat((String) client.receiveText().get("code"))
                        .isIn("MALFORMED_FRAME", "FRAME_TOO_LARGE");
                assertThat(client.isClosedByDaemon()).isTrue();
            }
        }
    }

    @Test
    void garbageNeverSilencesTheDoor() throws IOException {
        long seed = Long.getLong("seed", System.nanoTime());
        Random random = new Random(seed);
        for (int i = 0; i < 200; i++) {
            try (FrameClient client = client()) {
                byte[] garbage = new byte[1 + random.nextInt(200)];
                random.nextBytes(garbage);
                client.sendBytes(java.nio.ByteBuffer.allocate(4).putInt(garbage.length).array());
                client.sendBytes(garbage);
                client.send(json("type", "ping"));
                assertThat(client.receive()).as("seed %d", seed).isNotNull();
            }
        }
    }

    @Test
    void subscriptionsAreLimited() throws IOException {
        try (FrameClient client = client()) {
            for (int i = 0; i < 5; i++) {
                client.send(json("type", "register", "address", "test." + i));
            }
            client.send(json("type", "register", "address", "test.6"));
            assertThat(client.receiveText()).containsEntry("code", "LIMIT_EXCEEDED");
        }
    }

    @Test
    void connectionsAreLimited() throws IOException {
        FrameClient[] clients = new FrameClient[20];
        for (int i = 0; i < clients.length; i++) {
            clients[i] = client();
        }
        try (FrameClient oneMore = FrameClient.tcp(bridge.port())) {
            assertThat(oneMore.receiveText()).containsEntry("code", "LIMIT_EXCEEDED");
            assertThat(oneMore.isClosedByDaemon()).isTrue();
        }
        for (FrameClient client : clients) {
            client.close();
        }
    }

    @Test
    void aReaderThatNeverReadsIsClosed() throws IOException {
        try (FrameClient slow = client();
                FrameClient healthy = client()) {
            slow.send(json("type", "register", "address", "test.flood"));
            slow.send(json("type", "ping"));
            slow.receiveText();
            JsonObject large = new JsonObject().put("x", "y".repeat(50_000));
            for (int i = 0; i < 200; i++) {
                vertx.eventBus().publish("test.flood", large);
            }
            healthy.send(json("type", "ping"));
            assertThat(healthy.receiveText()).containsEntry("type", "pong");
            assertThatThrownBy(
                            () -> {
                                Thread.sleep(200);
                                while (true) {
                                    slow.receive();
                                }
                            })
                    .isInstanceOf(IOException.class);
        }
    }
}
