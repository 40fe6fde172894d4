package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static verticles.FrameClient.json;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.Frame;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes in two JVMs: one with the door, one that embeds. */
@Timeout(300)
class ClusterIT {

    @TempDir Path folder;

    @Test
    void aCallIsAnsweredByTheNodeThatHasTheRole() throws Exception {
        int doorPort = freePort();
        int workerPort = freePort();
        try (DaemonProcess door =
                        start("door", "bridge,bus,vectors", doorPort, "127.0.0.1:" + workerPort);
                FrameClient client = door.connect()) {
            Frame alone = embed(client);
            assertThat(((Frame.Failure) alone).error()).containsEntry("code", "UNKNOWN_ADDRESS");

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
                "cluster.join=" + join);
    }

    private static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
