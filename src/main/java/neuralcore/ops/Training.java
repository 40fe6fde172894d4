package neuralcore.ops;

import io.vertx.core.Vertx;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.Frame;
import neuralcore.wire.FrameCodec;
import neuralcore.wire.Json;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Walks once through what a daemon does after its start, so that a JVM that records ({@code
 * -XX:AOTCacheOutput}) sees the classes that it will need. What fails here only makes a poorer
 * cache.
 */
public final class Training {
    private static final Logger log = LoggerFactory.getLogger(Training.class);
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private Training() {}

    /** Works with a daemon that is open. */
    public static void run(Daemon daemon, RuntimeConfig config) {
        Vertx vertx = daemon.vertx();
        waitForModel(vertx);
        Tensor texts = Tensor.ofStrings(List.of("A first text.", "And another one."));
        call(vertx, Addresses.SYSTEM_INFO, Map.of());
        call(vertx, Addresses.EMBEDDING_MODELS, Map.of());
        call(vertx, Addresses.EMBEDDING_EMBED, Map.of("kind", "document"), texts);
        call(vertx, Addresses.VECTORS_LIST, Map.of());
        call(vertx, Addresses.MESSAGING_STATS, Map.of("namespace", "private-training"));
        try {
            Map<String, @Nullable Object> ready =
                    Json.readObject(ByteBuffer.wrap(Files.readAllBytes(daemon.readyFile())));
            overUnixSocket(config.bridge().socket());
            overTcp(ready);
            overHttp(ready);
        } catch (IOException e) {
            log.warn("The door was not part of the training: {}", e.toString());
        }
    }

    private static void waitForModel(Vertx vertx) {
        Readiness readiness = Readiness.of(vertx);
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!readiness.isReady() && System.nanoTime() < deadline) {
            try {
                Thread.sleep(20);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private static void call(
            Vertx vertx, String address, Map<String, @Nullable Object> params, Tensor... tensors) {
        Request request = new Request(address, new Params(params), List.of(tensors));
        try {
            Services.call(vertx, request, PATIENCE)
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            log.warn("{} was not part of the training: {}", address, e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void overUnixSocket(Path socket) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            converse(
                    Channels.newInputStream(channel),
                    Channels.newOutputStream(channel),
                    Map.of("type", "auth"));
        }
    }

    private static void overTcp(Map<String, @Nullable Object> ready) throws IOException {
        String token = Files.readString(Path.of(String.valueOf(ready.get("token_file")))).strip();
        try (Socket socket = connect(ready, "host", "port")) {
            converse(
                    socket.getInputStream(),
                    socket.getOutputStream(),
                    Map.of("type", "auth", "token", token, "protocol", Version.PROTOCOL));
        }
    }

    private static void overHttp(Map<String, @Nullable Object> ready) throws IOException {
        try (Socket socket = connect(ready, "http_host", "http_port")) {
            String get =
                    "GET /health/ready HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n"
                            .formatted(ready.get("http_port"));
            socket.getOutputStream().write(get.getBytes(StandardCharsets.US_ASCII));
            socket.getInputStream().readAllBytes();
        }
    }

    private static Socket connect(Map<String, @Nullable Object> ready, String name, String port)
            throws IOException {
        InetAddress host = InetAddress.getByName(String.valueOf(ready.get(name)));
        Socket socket = new Socket(host, Integer.parseInt(String.valueOf(ready.get(port))));
        socket.setSoTimeout((int) PATIENCE.toMillis());
        return socket;
    }

    private static void converse(InputStream in, OutputStream out, Map<String, ?> hello)
            throws IOException {
        for (Map<String, ?> frame : List.of(hello, Map.of("type", "ping"))) {
            byte[] json = Json.write(frame);
            byte[] framed =
                    ByteBuffer.allocate(4 + json.length).putInt(json.length).put(json).array();
            exchange(in, out, framed);
        }
        Frame.Call echo =
                new Frame.Call(
                        1,
                        Addresses.SYSTEM_ECHO,
                        0,
                        Map.of("text", "hello"),
                        List.of(Tensor.ofFloats(new float[] {1, 2, 3})));
        exchange(in, out, FrameCodec.encodeToArray(echo));
    }

    private static void exchange(InputStream in, OutputStream out, byte[] framed)
            throws IOException {
        out.write(framed);
        out.flush();
        in.readNBytes(ByteBuffer.wrap(in.readNBytes(4)).getInt());
    }
}
