package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Services;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two JVMs, one event bus: a request with an array crosses from one to the other. */
class ClusterIT {
    private static final String ADDRESS = "neuralcore.test.negate";

    @TempDir Path folder;

    /** The other node: negates arrays until it is killed. */
    static final class Node {
        public static void main(String[] arguments) throws IOException {
            Vertx vertx = join(Integer.parseInt(arguments[0]), List.of());
            Services.offer(vertx, ADDRESS, Node::negate).await();
            Files.createFile(Path.of(arguments[1]));
        }

        private static io.vertx.core.Future<Reply> negate(Request request) {
            float[] values = request.tensor(0, "values").toFloatArray();
            for (int i = 0; i < values.length; i++) {
                values[i] = -values[i];
            }
            return io.vertx.core.Future.succeededFuture(
                    Reply.of(
                            Map.of("pid", ProcessHandle.current().pid()), Tensor.ofFloats(values)));
        }
    }

    @Test
    void aRequestIsAnsweredByTheOtherNode() throws Exception {
        int first = freePort();
        int second = freePort();
        Path offered = folder.resolve("offered");
        try (Jvm node = Jvm.start(folder, Node.class, String.valueOf(first), offered.toString())) {
            node.await(offered);
            Vertx vertx = join(second, List.of("127.0.0.1:" + first));
            Request request =
                    new Request(
                            ADDRESS,
                            Params.EMPTY,
                            List.of(Tensor.ofFloats(new float[] {1, -2.5f})));

            Reply reply =
                    Services.call(vertx, request, Duration.ofSeconds(30))
                            .toCompletionStage()
                            .toCompletableFuture()
                            .get(60, TimeUnit.SECONDS);

            assertThat(reply.result()).containsEntry("pid", node.process().pid());
            assertThat(reply.tensors().getFirst().toFloatArray()).containsExactly(-1, 2.5f);
            vertx.close().await();
        }
    }

    private static Vertx join(int port, List<String> members) {
        Logging.captureLibraries();
        RuntimeConfig.Cluster cluster = new RuntimeConfig.Cluster(true, "127.0.0.1", port, members);
        Vertx vertx = ClusteredVertx.build(new VertxOptions(), cluster).await();
        Services.registerCodecs(vertx.eventBus());
        return vertx;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
