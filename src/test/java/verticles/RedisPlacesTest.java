package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import io.vertx.core.http.ClientAuth;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.NetSocket;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import neuralcore.eventbus.Addresses;
import neuralcore.relay.RelayConfig;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Servers that are behind TLS, watched by sentinels, or a cluster: real ones, each of them. */
class RedisPlacesTest extends JournalFixture {
    @TempDir Path files;
    private Vertx vertx;

    @BeforeEach
    void remember(Vertx provided) {
        vertx = provided;
    }

    // TLS

    @Test
    void aServerBehindTlsIsReachedByWhoTrustsItAndIsTrusted() throws Exception {
        certify("ca", null, "127.0.0.1");
        certify("server", "ca", "ip:127.0.0.1");
        certify("elsewhere", "ca", "dns:elsewhere.example");
        certify("client", "ca", "ip:127.0.0.1");
        certify("stranger", null, "ip:127.0.0.1");
        create("from", Map.of());
        try (RedisServer redis = new RedisServer(files.resolve("redis"))) {
            String url = "rediss://127.0.0.1:" + tls(redis, "server");
            String wrong = "rediss://127.0.0.1:" + tls(redis, "elsewhere");
            Map<String, @Nullable Object> trusting = new HashMap<>();
            trusting.put("ca_file", pem("ca.crt"));
            trusting.put("certificate_file", pem("client.crt"));
            trusting.put("key_file", pem("client.key"));
            open("good", url, trusting, out("from"));
            awaitStatus("good", "connected");
            publish("from", 1, 5);
            awaitTrue(() -> lengthOf(redis, "way") == 5);

            Map<String, @Nullable Object> anonymous = Map.of("ca_file", pem("ca.crt"));
            Map<String, @Nullable Object> doubting = new HashMap<>(trusting);
            doubting.put("ca_file", pem("stranger.crt"));
            assertNeverConnects("anonymous", url, anonymous);
            assertNeverConnects("doubting", url, doubting);
            assertNeverConnects("elsewhere", wrong, trusting);

            Map<String, @Nullable Object> careless = new HashMap<>(trusting);
            careless.put("verify_host", false);
            open("careless", wrong, careless, out("other"));
            awaitStatus("careless", "connected");
        }
    }

    private void assertNeverConnects(
            String name, String url, Map<String, @Nullable Object> options) {
        Map<String, @Nullable Object> once = new HashMap<>(options);
        once.put("max_reconnect_attempts", 1L);
        open(name, url, once, out("other"));
        awaitStatus(name, "failed");
    }

    /** TLS in front of a server, whatever its program was built with. */
    private int tls(RedisServer redis, String certificate) throws Exception {
        NetServer server =
                vertx.createNetServer(
                        new NetServerOptions()
                                .setHost("127.0.0.1")
                                .setPort(0)
                                .setSsl(true)
                                .setClientAuth(ClientAuth.REQUIRED)
                                .setTrustOptions(new PemTrustOptions().addCertPath(pem("ca.crt")))
                                .setKeyCertOptions(
                                        new PemKeyCertOptions()
                                                .addCertPath(pem(certificate + ".crt"))
                                                .addKeyPath(pem(certificate + ".key"))));
        server.connectHandler(
                socket -> {
                    socket.pause();
                    vertx.createNetClient()
                            .connect(redis.port(), "127.0.0.1")
                            .onSuccess(
                                    behind -> {
                                        join(socket, behind);
                                        join(behind, socket);
                                        socket.resume();
                                    });
                });
        return await(server.listen()).actualPort();
    }

    private static void join(NetSocket from, NetSocket to) {
        from.handler(to::write);
        from.closeHandler(closed -> to.close());
    }

    /**
     * @param signer null if it is to be its own
     * @param host for which the certificate is, as keytool writes it
     */
    private void certify(String name, @Nullable String signer, String host) throws Exception {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "keytool")
                                        .toString(),
                                "-genkeypair",
                                "-alias",
                                name,
                                "-keyalg",
                                "EC",
                                "-validity",
                                "2",
                                "-dname",
                                "CN=" + name,
                                "-keystore",
                                pem("all.p12"),
                                "-storepass",
                                "secret",
                                "-storetype",
                                "PKCS12"));
        if (signer == null) {
            command.addAll(List.of("-ext", "bc:c"));
        } else {
            command.addAll(List.of("-signer", signer, "-ext", "san=" + host));
        }
        Process made =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(files.resolve("keytool.log").toFile())
                        .start();
        assertThat(made.waitFor(120, TimeUnit.SECONDS)).isTrue();
        assertThat(made.exitValue()).as(Files.readString(files.resolve("keytool.log"))).isZero();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(files.resolve("all.p12"))) {
            store.load(in, "secret".toCharArray());
        }
        write(name + ".crt", "CERTIFICATE", store.getCertificate(name).getEncoded());
        write(
                name + ".key",
                "PRIVATE KEY",
                store.getKey(name, "secret".toCharArray()).getEncoded());
    }

    private void write(String file, String kind, byte[] der) throws Exception {
        String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
        Files.writeString(
                files.resolve(file),
                "-----BEGIN %s-----%n%s%n-----END %s-----%n".formatted(kind, text, kind));
    }

    private String pem(String file) {
        return files.resolve(file).toString();
    }

    // Sentinel

    @Test
    void sentinelsAreAskedForTheServerAgainWhenAnotherHasTakenItsPlace() throws Exception {
        create("from", Map.of("max_queue_size", 100_000L));
        try (RedisServer first = new RedisServer(files.resolve("first"));
                RedisServer second =
                        new RedisServer(
                                files.resolve("second"),
                                List.of("--replicaof", "127.0.0.1 " + first.port()));
                RedisServer sentinel =
                        new RedisServer(files.resolve("sentinel"), List.of("--sentinel"))) {
            awaitTrue(() -> first.isReplicated());
            String port = String.valueOf(first.port());
            assertThat(sentinel.command("SENTINEL", "MONITOR", "main", "127.0.0.1", port, "1"))
                    .isEqualTo("+OK");
            sentinel.command("SENTINEL", "SET", "main", "down-after-milliseconds", "500");
            sentinel.command("SENTINEL", "SET", "main", "failover-timeout", "3000");
            awaitTrue(() -> sentinel.knowsReplicaOf("main"));
            open(
                    "left",
                    "redis://127.0.0.1:1",
                    Map.of(
                            "sentinels",
                            List.of("redis://127.0.0.1:" + sentinel.port()),
                            "master",
                            "main",
                            "answer_timeout",
                            1.0),
                    out("from"));
            awaitStatus("left", "connected");
            publish("from", 1, 5);
            awaitTrue(() -> lengthOf(first, "way") == 5 && lengthOf(second, "way") == 5);

            first.kill();
            publish("from", 6, 5);

            awaitTrue(() -> lengthOf(second, "way") == 10);
            awaitStatus("left", "connected");
        }
    }

    // Cluster

    @Test
    void streamsAndPubSubOfAClusterAreReachedWhereverTheyLie() throws Exception {
        create("from", Map.of());
        create("to", Map.of());
        List<RedisServer> nodes = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) {
                nodes.add(
                        new RedisServer(
                                files.resolve("node" + i),
                                List.of(
                                        "--cluster-enabled",
                                        "yes",
                                        "--cluster-node-timeout",
                                        "5000")));
            }
            joined(nodes);
            String url = nodes.getFirst().url();
            Map<String, @Nullable Object> cluster =
                    Map.of("cluster", true, "nodes", List.of(nodes.getLast().url()));
            List<Map<String, @Nullable Object>> outs = new ArrayList<>();
            List<Map<String, @Nullable Object>> ins = new ArrayList<>();
            for (String way : List.of("a", "b", "c", "d")) { // Their slots lie on all nodes.
                outs.add(route("out", "from", Map.of("stream", way)));
                ins.add(route("in", "to", Map.of("stream", way, "replay_start", "0-0")));
            }
            ins.add(route("in", "heard", Map.of("pubsub", "news")));
            outs.add(route("out", "said", Map.of("pubsub", "news")));
            open("right", url, cluster, ins);
            open("left", url, cluster, outs);
            awaitStatus("right", "connected");
            awaitStatus("left", "connected");
            var inbox = inbox("c-1");
            call(
                    Addresses.MESSAGING_SUBSCRIBE,
                    Map.of("channel", "heard", "subscription", 1L, "credit", 100L));

            publish("from", 1, 25);
            offer(message("said", 101, 0, 0), message("said", 102, 0, 0));

            assertThat(deliveries(inbox, 2)).hasSize(2);
            awaitTrue(() -> payloads("to").size() == 25);
            awaitTrue(() -> metric("left", "published") == 4 * 25 + 2);
        } finally {
            for (RedisServer node : nodes) {
                node.close();
            }
        }
    }

    private static void joined(List<RedisServer> nodes) throws Exception {
        int slots = 16_384;
        for (int i = 0; i < nodes.size(); i++) {
            List<String> command = new ArrayList<>(List.of("CLUSTER", "ADDSLOTS"));
            for (int slot = i * slots / 3; slot < (i + 1) * slots / 3; slot++) {
                command.add(String.valueOf(slot));
            }
            assertThat(nodes.get(i).command(command.toArray(String[]::new))).isEqualTo("+OK");
            nodes.getFirst()
                    .command("CLUSTER", "MEET", "127.0.0.1", String.valueOf(nodes.get(i).port()));
        }
        for (RedisServer node : nodes) {
            awaitTrue(() -> node.answerTo("CLUSTER", "INFO").contains("cluster_state:ok"));
            awaitTrue(() -> node.answerTo("CLUSTER", "INFO").contains("cluster_known_nodes:3"));
        }
    }

    // What tests ask for

    @SafeVarargs
    private void open(
            String name,
            String url,
            Map<String, @Nullable Object> options,
            Map<String, @Nullable Object>... routes) {
        open(name, url, options, List.of(routes));
    }

    private void open(
            String name,
            String url,
            Map<String, @Nullable Object> options,
            List<Map<String, @Nullable Object>> routes) {
        Map<String, @Nullable Object> values = new HashMap<>(options);
        values.put("name", name);
        values.put("url", url);
        values.put("namespace", "atlas");
        values.put("routes", routes);
        await(
                vertx.deployVerticle(
                        new RedisVerticle(
                                RelayConfig.of(values), new RelayNode(name, 1 << 20), "")));
    }

    private static Map<String, @Nullable Object> out(String channel) {
        return route("out", channel, Map.of("stream", "way"));
    }

    private static Map<String, @Nullable Object> route(
            String direction, String channel, Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> route = new HashMap<>(more);
        route.put("direction", direction);
        route.put("channel", channel);
        return route;
    }

    /** Each of the four streams brings all, and those taken meanwhile are not taken again. */
    private Set<Object> payloads(String channel) {
        return history(channel, 0, 200).stream()
                .map(row -> row.get("payload"))
                .collect(Collectors.toSet());
    }

    private long metric(String relay, String name) {
        Map<?, ?> metrics = (Map<?, ?>) describe(relay).get("metrics");
        return ((Number) metrics.get(name)).longValue();
    }

    private Map<String, @Nullable Object> describe(String relay) {
        return call(Addresses.relay(relay), Map.of("do", "describe"));
    }

    private void awaitStatus(String relay, String status) {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!status.equals(describe(relay).get("status"))) {
            assertThat(System.nanoTime()).as("%s", describe(relay)).isLessThan(end);
            pause();
        }
    }

    private static long lengthOf(RedisServer redis, String stream) {
        String answer = redis.answerTo("XLEN", stream);
        return answer.startsWith(":") ? Long.parseLong(answer.substring(1).strip()) : -1;
    }

    private static void awaitTrue(BooleanSupplier condition) {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("it does not come true").isLessThan(end);
            pause();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
