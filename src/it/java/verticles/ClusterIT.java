package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static verticles.FrameClient.json;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.Frame;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes in two JVMs: one with the door, one that embeds. */
@Timeout(600)
class ClusterIT {

    private static final int KILLS = Integer.getInteger("neuralcore.cluster.kills", 2);
    private static final List<String> TEXTS =
            IntStream.range(0, 200).mapToObj(i -> "text number %d of many".formatted(i)).toList();

    @TempDir Path folder;

    @Test
    void aCallIsAnsweredByTheNodeThatHasTheRole() throws Exception {
        int doorPort = freePort();
        int workerPort = freePort();
        try (DaemonProcess door =
                        start("door", "bridge,bus,vectors", doorPort, "127.0.0.1:" + workerPort);
                FrameClient client = door.connect()) {
            Frame alone = embed(client);
            assertThat(((Frame.Failure) alone).error())
                    .containsEntry("code", "UNAVAILABLE")
                    .hasEntrySatisfying(
                            "message", text -> assertThat((String) text).contains("--join"));

            try (DaemonProcess worker =
                    start("worker", "embedding", workerPort, "127.0.0.1:" + doorPort)) {
                Frame answered = embed(client);
                for (int i = 0; i < 100 && answered instanceof Frame.Failure; i++) {
                    Thread.sleep(100);
                    answered = embed(client);
                }
                assertThat(answered).as(worker.output()).isInstanceOf(Frame.Answer.class);
                assertThat(((Frame.Answer) answered).tensors().getFirst().columns()).isEqualTo(384);
            }
        }
    }

    /**
     * Workers are killed in turn while requests come: none is lost, none gets a wrong vector.
     * {@code -Dneuralcore.cluster.kills=20} is the long form.
     */
    @Test
    void killingWorkersUnderLoadLosesNoRequest() throws Exception {
        int doorPort = freePort();
        String join = "127.0.0.1:" + doorPort;
        try (DaemonProcess door = start("door", "bridge", doorPort, "");
                DaemonProcess steady = joining("steady", join);
                FrameClient client = door.connect()) {
            awaitNodes(client, 1);
            Tensor expected = null;
            DaemonProcess worker = joining("w0", join);
            awaitNodes(client, 2);
            for (int kill = 1; kill <= KILLS; kill++) {
                DaemonProcess next = joining("w" + kill, join);
                awaitNodes(client, 3);
                int sent = 0;
                for (; sent < 4; sent++) {
                    client.send(call(sent + 1_000 * kill));
                }
                worker.close();
                for (; sent < 8; sent++) {
                    client.send(call(sent + 1_000 * kill));
                }
                for (int i = 0; i < sent; i++) {
                    Frame frame = client.receive();
                    assertThat(frame).as("kill %d", kill).isInstanceOf(Frame.Answer.class);
                    Tensor vectors = ((Frame.Answer) frame).tensors().getFirst();
                    assertThat(vectors.rows()).isEqualTo(TEXTS.size());
                    if (expected == null) {
                        expected = vectors;
                    }
                    assertThat(distance(vectors, expected)).isLessThan(1e-4);
                }
                worker = next;
            }
            worker.close();
            assertThat(door.output()).contains("no longer embeds");
            assertThat(steady.stop()).as("it leaves in order").isZero();
        }
    }

    private static Frame.Call call(int correlation) {
        return new Frame.Call(
                correlation,
                Addresses.EMBEDDING_EMBED,
                60_000,
                json("batch_invariant", true),
                List.of(Tensor.ofStrings(TEXTS)));
    }

    private static double distance(Tensor one, Tensor other) {
        float[] a = one.toFloatArray();
        float[] b = other.toFloatArray();
        double most = 0;
        for (int i = 0; i < a.length; i++) {
            most = Math.max(most, Math.abs(a[i] - b[i]));
        }
        return most;
    }

    /** Waits until the door knows so many nodes. */
    private static void awaitNodes(FrameClient client, int count) throws Exception {
        List<?> nodes = List.of();
        for (int i = 0; i < 1_200; i++) {
            Frame.Answer answer = (Frame.Answer) client.call(Addresses.EMBEDDING_NODES, json());
            nodes = (List<?>) answer.result().get("nodes");
            if (nodes.size() == count) {
                return;
            }
            Thread.sleep(100);
        }
        throw new AssertionError("%d nodes are awaited; there are %s".formatted(count, nodes));
    }

    private DaemonProcess joining(String name, String join) throws Exception {
        return DaemonProcess.start(
                folder.resolve(name),
                List.of("--add-modules=jdk.incubator.vector"),
                "--roles",
                "embedding",
                "--join",
                join,
                "--set",
                credentials());
    }

    private static Frame embed(FrameClient client) throws Exception {
        return client.call(
                Addresses.EMBEDDING_EMBED, json(), Tensor.ofStrings(List.of("over the cluster")));
    }

    private DaemonProcess start(String name, String roles, int port, String join) throws Exception {
        return DaemonProcess.start(
                folder.resolve(name),
                List.of("--add-modules=jdk.incubator.vector"),
                "--roles",
                roles,
                "--set",
                "cluster.enabled=true",
                "--set",
                "cluster.port=" + port,
                "--set",
                "cluster.join=" + (join.isEmpty() ? "[]" : join),
                "--set",
                credentials());
    }

    /** The nodes' own, not those of whoever runs the test. */
    private String credentials() {
        return "cluster.credentials=" + folder.resolve("credentials");
    }

    private static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
