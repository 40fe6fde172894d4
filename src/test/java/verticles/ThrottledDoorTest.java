package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static verticles.FrameClient.json;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.http.WebSocket;
import io.vertx.core.http.WebSocketClient;
import io.vertx.core.http.WebSocketConnectOptions;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import neuralcore.bridge.Greeting;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.ops.Readiness;
import neuralcore.wire.ElementType;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.Json;
import neuralcore.wire.Reply;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A client that sends more than its share waits: it loses nothing, is not closed, and others go on.
 */
@Timeout(60)
class ThrottledDoorTest {
    private static final String TOKEN = "0123456789abcdef0123456789abcdef";

    @TempDir Path folder;
    private final PrometheusMeterRegistry meters =
            new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private Vertx vertx;
    private BridgeVerticle bridge;

    @BeforeEach
    void start() {
        vertx = Vertx.vertx();
        Services.registerCodecs(vertx.eventBus());
        Services.offer(
                vertx,
                Addresses.SYSTEM_ECHO,
                request ->
                        Future.succeededFuture(
                                new Reply(request.params().values(), request.tensors())));
    }

    @AfterEach
    void stop() throws Exception {
        vertx.close().await(30, TimeUnit.SECONDS);
    }

    private RuntimeConfig.Bridge config(long bytesPerSecond, long messagesPerSecond) {
        return new RuntimeConfig.Bridge(
                folder.resolve("d.sock"),
                "127.0.0.1",
                0,
                64 * 1024,
                1 << 20,
                3,
                100,
                1_000,
                8 << 20,
                Duration.ofSeconds(2),
                Duration.ofSeconds(1),
                Duration.ofSeconds(1),
                bytesPerSecond,
                messagesPerSecond,
                List.of("neuralcore.*"),
                List.of("neuralcore.bus.*"));
    }

    private FrameClient clientOfDoor(long bytesPerSecond, long messagesPerSecond) throws Exception {
        bridge =
                new BridgeVerticle(
                        config(bytesPerSecond, messagesPerSecond),
                        new Token(TOKEN),
                        new Greeting("test", List.of("bus")),
                        meters);
        vertx.deployVerticle(bridge).await(30, TimeUnit.SECONDS);
        return FrameClient.unix(folder.resolve("d.sock"));
    }

    private int web(long messagesPerSecond) throws Exception {
        WebVerticle web =
                new WebVerticle(
                        new RuntimeConfig.Web("127.0.0.1", 0, List.of("127.0.0.1"), List.of()),
                        config(0, messagesPerSecond),
                        new Token(TOKEN),
                        new Greeting("test", List.of("bus")),
                        Readiness.of(vertx),
                        meters);
        vertx.deployVerticle(web).await(30, TimeUnit.SECONDS);
        return web.port();
    }

    private double pauses() {
        return meters.counter("neuralcore_bridge_throttled_total").count();
    }

    @Test
    void bytesBeyondTheRateWaitAndAllAreAnswered() throws Exception {
        byte[] block = new byte[60_000];
        // More than two seconds of it, where a second of silence closes a connection.
        try (FrameClient flood = clientOfDoor(100_000, 0)) {
            for (int i = 1; i <= 6; i++) {
                Tensor bytes =
                        new Tensor(ElementType.BYTES, block.length, 0, ByteBuffer.wrap(block));
                flood.send(new Frame.Call(i, Addresses.SYSTEM_ECHO, 0, json(), List.of(bytes)));
            }
            try (FrameClient other = FrameClient.unix(folder.resolve("d.sock"))) {
                assertThat(other.call(Addresses.SYSTEM_ECHO, json()))
                        .isInstanceOf(Frame.Answer.class);
            }
            for (int i = 1; i <= 6; i++) {
                Frame.Answer answer = (Frame.Answer) flood.receive();
                assertThat(answer.correlation()).isEqualTo(i);
                assertThat(answer.tensors().getFirst().data().remaining()).isEqualTo(block.length);
            }
        }
        assertThat(pauses()).isPositive();
    }

    @Test
    void messagesBeyondTheRateWaitAndAllAreAnswered() throws Exception {
        try (FrameClient flood = clientOfDoor(0, 200)) {
            for (int i = 1; i <= 400; i++) {
                flood.send(new Frame.Call(i, Addresses.SYSTEM_ECHO, 0, json(), List.of()));
            }
            for (int i = 1; i <= 400; i++) {
                assertThat(((Frame.Answer) flood.receive()).correlation()).isEqualTo(i);
            }
        }
        assertThat(pauses()).isPositive();
    }

    @Test
    void eachMessageOfABatchCounts() throws Exception {
        try (FrameClient client = clientOfDoor(0, 200)) {
            Envelope message =
                    new Envelope(
                            "c", 7, 1, 1, 5, 0, 0, Envelope.BYTES, Envelope.NONE, new byte[1], 1);
            List<Envelope> batch = Collections.nCopies(300, message);
            client.send(new Frame.Publish(1, Frame.Confirm.ACCEPTED, "n", batch));
            client.receive(); // There is no bus: all are rejected.
            assertThat(client.call(Addresses.SYSTEM_ECHO, json())).isInstanceOf(Frame.Answer.class);
        }
        assertThat(pauses()).isPositive();
    }

    @Test
    void whoKeepsWithinTheRateIsNeverPaused() throws Exception {
        try (FrameClient client = clientOfDoor(1 << 30, 1_000_000)) {
            for (int i = 0; i < 200; i++) {
                assertThat(client.call(Addresses.SYSTEM_ECHO, json()))
                        .isInstanceOf(Frame.Answer.class);
            }
        }
        assertThat(pauses()).isZero();
    }

    /** Over the SockJS session, and over the WebSocket without one. */
    @ParameterizedTest
    @ValueSource(strings = {"/eventbus/001/session/websocket", "/eventbus/websocket"})
    void sockJsClientsWaitToo(String path) throws Exception {
        int calls = 400;
        boolean raw = path.equals("/eventbus/websocket");
        WebSocketClient client = vertx.createWebSocketClient();
        Promise<Void> all = Promise.promise();
        AtomicInteger answers = new AtomicInteger();
        WebSocket socket =
                client.connect(
                                new WebSocketConnectOptions()
                                        .setAllowOriginHeader(false)
                                        .setHost("127.0.0.1")
                                        .setPort(web(200))
                                        .setURI(path)
                                        .addHeader("Authorization", "Bearer " + TOKEN))
                        .await(30, TimeUnit.SECONDS);
        socket.textMessageHandler(
                text -> {
                    if (text.contains("rec") && answers.incrementAndGet() == calls) {
                        all.complete();
                    }
                });
        for (int i = 0; i < calls; i++) {
            String call =
                    Json.writeText(
                            json(
                                    "type",
                                    "send",
                                    "address",
                                    Addresses.SYSTEM_ECHO,
                                    "replyAddress",
                                    "r" + i,
                                    "body",
                                    json()));
            socket.writeTextMessage(raw ? call : Json.writeText(List.of(call)));
        }
        all.future().await(30, TimeUnit.SECONDS);
        assertThat(pauses()).isPositive();
    }

    @Test
    void strangersAtOneListenerKeepNobodyFromTheOther() throws Exception {
        try (FrameClient unix = clientOfDoor(0, 0)) {
            int port = bridge.port();
            List<FrameClient> strangers = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                strangers.add(FrameClient.tcp(port));
            }
            try (FrameClient tooMany = FrameClient.tcp(port)) {
                assertThat(tooMany.receiveText()).containsEntry("code", "LIMIT_EXCEEDED");
            }
            try (FrameClient own = FrameClient.unix(folder.resolve("d.sock"))) {
                assertThat(own.call(Addresses.SYSTEM_ECHO, json()))
                        .isInstanceOf(Frame.Answer.class);
            }
            for (FrameClient stranger : strangers) {
                stranger.close();
            }
        }
    }

    @Test
    void httpConnectionsBeyondTheLimitAreClosed() throws Exception {
        int port = web(0);
        List<Socket> open = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            open.add(new Socket("127.0.0.1", port));
            assertThat(health(open.getLast())).contains("200");
        }
        try (Socket tooMany = new Socket("127.0.0.1", port)) {
            assertThat(tooMany.getInputStream().read()).isEqualTo(-1);
        }
        open.getFirst().close();
        for (boolean in = false; !in; ) {
            try (Socket next = new Socket("127.0.0.1", port)) {
                in = health(next).contains("200");
            } catch (IOException e) {
                in = false; // The end of the other is not noticed yet.
            }
        }
        for (Socket socket : open) {
            socket.close();
        }
    }

    private static String health(Socket socket) throws IOException {
        byte[] request =
                "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
                        .formatted(socket.getPort())
                        .getBytes(StandardCharsets.US_ASCII);
        socket.getOutputStream().write(request);
        return new String(socket.getInputStream().readNBytes(15), StandardCharsets.US_ASCII);
    }
}
