package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static verticles.FrameClient.json;

import io.vertx.core.Vertx;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.Frame;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Workers that come, go and are cut off under load. Their network is a {@link StandIn}, so that a
 * worker's speed is known and does not hang on what else the machine does.
 */
@Timeout(600)
class ClusterWorkersIT {
    private static final long TRY_MILLIS = 50;
    private static final int TRIES = 2_400;
    private static final int TEXTS = 40;
    private static final int MICROSECONDS_A_TOKEN = 200;

    @TempDir Path folder;
    private int port;
    private int eventPort;
    private Path credentials = Path.of("");
    private final List<AutoCloseable> open = new ArrayList<>();
    private @Nullable DaemonProcess door;
    private int sent;
    private int answered;

    @BeforeEach
    void prepare() throws Exception {
        credentials = folder.resolve("credentials");
        port = ClusterNode.freePort();
        eventPort = ClusterNode.freePort();
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable one : open.reversed()) {
            one.close();
        }
    }

    private FrameClient door(String... settings) throws Exception {
        List<String> arguments =
                new ArrayList<>(ClusterNode.arguments(credentials, "bridge,web", port, ""));
        for (String setting : settings) {
            arguments.addAll(List.of("--set", setting));
        }
        door = ClusterNode.start(folder.resolve("door"), arguments);
        open.add(door);
        FrameClient client = door.connect();
        open.add(client);
        return client;
    }

    private StandInProcess worker(int joins, String... settings) throws Exception {
        List<String> all =
                new ArrayList<>(
                        List.of(
                                "cluster.credentials=" + credentials,
                                "cluster.port=0",
                                "cluster.join=127.0.0.1:" + joins));
        all.addAll(List.of(settings));
        StandInProcess worker = StandInProcess.start(MICROSECONDS_A_TOKEN, all);
        open.add(worker);
        return worker;
    }

    @Test
    void aWorkerThatJoinsTakesItsShareOfTheLoad() throws Exception {
        FrameClient client = door();
        worker(port);
        awaitNodes(client, 1);
        embed(client, 20);
        worker(port);
        awaitNodes(client, 2);
        Map<String, Long> before = texts(client);
        embed(client, 60);
        List<Long> done = new ArrayList<>();
        texts(client).forEach((node, all) -> done.add(all - before.getOrDefault(node, 0L)));
        assertThat(done).as("texts of each node").hasSize(2);
        assertThat(done.get(0) + done.get(1)).isEqualTo(60L * TEXTS);
        // Equal workers do about half each; a busy machine may hold one of them up.
        assertThat(done).allSatisfy(texts -> assertThat(texts).isGreaterThan(60L * TEXTS / 4));

        assertThat(get("/health/ready")).contains("\"nodes\":3", "\"embedding\":2");
        assertThat(get("/health")).contains("tokens_per_second", "\"roles\":\"embedding\"");
        assertThat(get("/health/cluster").lines())
                .hasSize(4)
                .anySatisfy(line -> assertThat(line).contains("tokens/s"));
        assertThat(get("/metrics"))
                .contains("neuralcore_cluster_nodes 2", "neuralcore_cluster_node_texts{");
        List<Long> all = texts(client).values().stream().sorted().toList();
        List<Long> shown = workersByStatus();
        for (int i = 0; i < TRIES && !shown.equals(all); i++) { // It is a moment old.
            Thread.sleep(TRY_MILLIS);
            shown = workersByStatus();
        }
        assertThat(shown).isEqualTo(all);
    }

    /**
     * The texts of each worker by the table that {@code ./neuralcore status} ends with, where each
     * must have a capacity and a rate, too.
     */
    private List<Long> workersByStatus() throws Exception {
        Path said = folder.resolve("status");
        ProcessBuilder status =
                new ProcessBuilder(Path.of("neuralcore").toAbsolutePath().toString(), "status")
                        .redirectErrorStream(true)
                        .redirectOutput(said.toFile());
        status.environment().put("NEURALCORE_DATA_FOLDER", folder.resolve("door").toString());
        Process process = status.start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        List<String> lines = Files.readAllLines(said);
        assertThat(process.exitValue()).as(String.join("\n", lines)).isZero();
        assertThat(lines)
                .anyMatch(line -> line.matches("node +address +roles +capacity +tokens/s .*"))
                .anyMatch(line -> line.matches("[0-9a-f]{8} +127\\.0\\.0\\.1:\\d+ +bridge,web"));
        Pattern worker =
                Pattern.compile(
                        "[0-9a-f]{8} +127\\.0\\.0\\.1:\\d+ +embedding +[1-9]\\d* +[1-9]\\d* +\\d+ +(\\d+)  [0-9a-f]{8}");
        return lines.stream()
                .map(worker::matcher)
                .filter(Matcher::matches)
                .map(match -> Long.parseLong(match.group(1)))
                .sorted()
                .toList();
    }

    /** What the door's HTTP says, the token shown. */
    private String get(String path) throws Exception {
        Map<String, ?> ready = Objects.requireNonNull(door).ready();
        String token = Files.readString(Path.of((String) ready.get("token_file"))).strip();
        URI uri =
                URI.create("http://127.0.0.1:%d%s".formatted((Long) ready.get("http_port"), path));
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                            HttpRequest.newBuilder(uri)
                                    .header("Authorization", "Bearer " + token)
                                    .timeout(Duration.ofSeconds(60))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString())
                    .body();
        }
    }

    @Test
    void workersAreRestartedOneByOneWithoutAFailedRequest() throws Exception {
        FrameClient client = door();
        List<StandInProcess> workers = new ArrayList<>(List.of(worker(port), worker(port)));
        awaitNodes(client, 2);
        for (int i = 0; i < workers.size(); i++) {
            send(client, 10);
            workers.get(i).leave();
            send(client, 10);
            receive(client, 20);
            workers.set(i, worker(port));
            awaitNodes(client, 2);
        }
        embed(client, 10);
        assertThat(answered).isEqualTo(sent);
    }

    /** All four ways between the nodes, membership and event bus in either direction, are cut. */
    @Test
    void aSplitHealsByItself() throws Exception {
        Vertx vertx = Vertx.vertx();
        open.add(() -> vertx.close().await());
        int workerPort = ClusterNode.freePort();
        int workerEventPort = ClusterNode.freePort();
        List<FaultProxy> ways = new ArrayList<>();
        for (int target : new int[] {port, eventPort, workerPort, workerEventPort}) {
            ways.add(new FaultProxy(vertx, target));
        }
        FrameClient client =
                door(
                        "cluster.event_port=" + eventPort,
                        "cluster.public_port=" + ways.get(0).port(),
                        "cluster.public_event_port=" + ways.get(1).port());
        worker(
                ways.get(0).port(),
                "cluster.port=" + workerPort,
                "cluster.event_port=" + workerEventPort,
                "cluster.public_port=" + ways.get(2).port(),
                "cluster.public_event_port=" + ways.get(3).port());
        awaitNodes(client, 1);
        embed(client, 3);

        ways.forEach(way -> way.set(FaultProxy.Fault.BLACK_HOLE));
        awaitNodes(client, 0);
        Frame nobody = client.call(Addresses.EMBEDDING_EMBED, json(), texts(0));
        assertThat(((Frame.Failure) nobody).error()).containsEntry("code", "UNAVAILABLE");

        ways.forEach(way -> way.set(FaultProxy.Fault.NONE));
        awaitNodes(client, 1);
        embed(client, 3);
        assertThat(answered).isEqualTo(sent);
    }

    private static Tensor texts(int request) {
        return Tensor.ofStrings(all(request));
    }

    private static List<String> all(int request) {
        return IntStream.range(0, TEXTS)
                .mapToObj(i -> "text %d of request %d, of some words".formatted(i, request))
                .toList();
    }

    private void embed(FrameClient client, int requests) throws Exception {
        send(client, requests);
        receive(client, requests);
    }

    private void send(FrameClient client, int requests) throws Exception {
        for (int i = 0; i < requests; i++) {
            int request = ++sent;
            client.send(
                    new Frame.Call(
                            1_000_000 + request,
                            Addresses.EMBEDDING_EMBED,
                            120_000,
                            json(),
                            List.of(texts(request))));
        }
    }

    /** Every request is answered, and with the vectors of its own texts. */
    private void receive(FrameClient client, int requests) throws Exception {
        for (int i = 0; i < requests; i++) {
            Frame frame = client.receive();
            assertThat(frame).isInstanceOf(Frame.Answer.class);
            Frame.Answer answer = (Frame.Answer) frame;
            List<String> asked = all(answer.correlation() - 1_000_000);
            float[] vectors = answer.tensors().getFirst().toFloatArray();
            for (int text = 0; text < TEXTS; text++) {
                assertThat(vectors[text * StandIn.DIMENSION])
                        .isEqualTo(StandIn.number(asked.get(text)));
            }
            answered++;
        }
    }

    private static List<Map<String, Object>> nodes(FrameClient client) throws Exception {
        Frame.Answer answer = (Frame.Answer) client.call(Addresses.EMBEDDING_NODES, json());
        List<Map<String, Object>> nodes = new ArrayList<>();
        for (Object node : (List<?>) answer.result().get("nodes")) {
            @SuppressWarnings("unchecked")
            Map<String, Object> keys = (Map<String, Object>) node;
            nodes.add(keys);
        }
        return nodes;
    }

    private static Map<String, Long> texts(FrameClient client) throws Exception {
        Map<String, Long> texts = new HashMap<>();
        for (Map<String, Object> node : nodes(client)) {
            texts.put((String) node.get("node"), (Long) node.get("texts"));
        }
        return texts;
    }

    /** Waits until so many nodes are there to work. */
    private static void awaitNodes(FrameClient client, int count) throws Exception {
        for (int i = 0; i < TRIES; i++) {
            long there =
                    nodes(client).stream()
                            .filter(node -> Boolean.FALSE.equals(node.get("leaving")))
                            .count();
            if (there == count) {
                return;
            }
            Thread.sleep(TRY_MILLIS);
        }
        throw new AssertionError("%d nodes are awaited: %s".formatted(count, nodes(client)));
    }
}
