package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import neuralcore.bridge.Greeting;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Services;
import neuralcore.ops.Readiness;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The gate before HTTP and WebSocket, by raw sockets, so that every header is the test's own. */
@Timeout(60)
class WebVerticleTest {
    private static final String TOKEN = "0123456789abcdef0123456789abcdef";
    private static final String ALLOWED_ORIGIN = "https://console.example";

    private final Readiness readiness = new Readiness();
    private Vertx vertx;
    private int port;

    @BeforeEach
    void start() throws Exception {
        vertx = Vertx.vertx();
        Services.registerCodecs(vertx.eventBus());
        RuntimeConfig.Bridge bridge =
                new RuntimeConfig.Bridge(
                        Path.of("unused"),
                        "127.0.0.1",
                        0,
                        64 * 1024,
                        1 << 20,
                        20,
                        5,
                        4,
                        1 << 20,
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(30),
                        Duration.ofSeconds(1),
                        0,
                        0,
                        List.of("test.*"),
                        List.of("test.*"));
        WebVerticle web =
                new WebVerticle(
                        new RuntimeConfig.Web(
                                "127.0.0.1",
                                0,
                                List.of("127.0.0.1", "localhost", "[::1]"),
                                List.of(ALLOWED_ORIGIN)),
                        bridge,
                        new Token(TOKEN),
                        new Greeting("test", List.of("bus")),
                        readiness,
                        new PrometheusMeterRegistry(PrometheusConfig.DEFAULT));
        vertx.deployVerticle(web).await(30, TimeUnit.SECONDS);
        port = web.port();
    }

    @AfterEach
    void stop() throws Exception {
        vertx.close().await(30, TimeUnit.SECONDS);
    }

    @Test
    void onlyTheExpectedCombinationsGetIn() throws IOException {
        List<String> hosts =
                List.of(
                        "127.0.0.1:" + port,
                        "localhost:" + port,
                        "[::1]:" + port,
                        "127.0.0.1",
                        "[::1]",
                        "[::1]:1",
                        "[::2]:" + port,
                        "127.0.0.1:1",
                        "rebind.attacker.example:" + port,
                        "rebind.attacker.example");
        List<String> origins =
                List.of(
                        "",
                        ALLOWED_ORIGIN,
                        "null",
                        "https://evil.example",
                        "https://console.example.evil.example",
                        "http://console.example",
                        "http://127.0.0.1:" + port,
                        "file://");
        List<String> paths =
                List.of("/metrics", "/health", "/eventbus/info", "/eventbus/websocket", "/nothing");
        List<String> wrong = new ArrayList<>();
        for (String host : hosts) {
            for (String origin : origins) {
                for (String path : paths) {
                    boolean hostGood = hosts.indexOf(host) < 3;
                    boolean originGood = origins.indexOf(origin) < 2;
                    int expected = !hostGood ? 421 : !originGood ? 403 : expectedInside(path);
                    int status = get(path, host, origin, TOKEN);
                    if (status != expected) {
                        wrong.add("%s %s %s: %d".formatted(host, origin, path, status));
                    }
                    if (hostGood && originGood && get(path, host, origin, "wrong") != 401) {
                        wrong.add("%s %s %s without token".formatted(host, origin, path));
                    }
                }
            }
        }
        assertThat(wrong).isEmpty();
    }

    private static int expectedInside(String path) {
        return switch (path) {
            case "/nothing" -> 404;
            case "/eventbus/websocket" -> 101;
            default -> 200;
        };
    }

    @Test
    void healthNeedsNoTokenAndSaysNothingElse() throws IOException {
        readiness.set("model", false, "loading a secret place");
        assertThat(request("/health/live", "127.0.0.1:" + port, "", "")).contains("200 OK");
        String notReady = request("/health/ready", "127.0.0.1:" + port, "", "");
        assertThat(notReady).contains("503").doesNotContain("secret");
        readiness.set("model", true, "loaded");
        assertThat(request("/health/ready", "127.0.0.1:" + port, "", "")).contains("200 OK");
        assertThat(request("/health", "127.0.0.1:" + port, "", TOKEN)).contains("loaded");
    }

    private int get(String path, String host, String origin, String token) throws IOException {
        String response = request(path, host, origin, token);
        return Integer.parseInt(response.substring(9, 12));
    }

    private String request(String path, String host, String origin, String token)
            throws IOException {
        StringBuilder request = new StringBuilder("GET " + path + " HTTP/1.1\r\n");
        request.append("Host: ").append(host).append("\r\n");
        if (!origin.isEmpty()) {
            request.append("Origin: ").append(origin).append("\r\n");
        }
        if (!token.isEmpty()) {
            request.append("Authorization: Bearer ").append(token).append("\r\n");
        }
        if (path.endsWith("websocket")) {
            request.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
                    .append("Sec-WebSocket-Version: 13\r\n")
                    .append("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        } else {
            request.append("Connection: close\r\n");
        }
        try (Socket socket = new Socket("127.0.0.1", port)) {
            socket.getOutputStream()
                    .write(request.append("\r\n").toString().getBytes(StandardCharsets.US_ASCII));
            if (path.endsWith("websocket")) {
                byte[] head = socket.getInputStream().readNBytes(16);
                return new String(head, StandardCharsets.US_ASCII);
            }
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
