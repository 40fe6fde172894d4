package neuralcore.mesh;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.net.NetClientOptions;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import neuralcore.cluster.Certificates;
import neuralcore.cluster.ClusterSecret;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Nodes of one cluster within this process, each with ports and TLS of its own. */
@Timeout(300)
class MeshTest {
    private static final Certificates.Made AUTHORITY = authority();
    private static final ClusterSecret SECRET = new ClusterSecret("the secret of the test");
    private static final long PATIENCE_SECONDS = 120;

    private final List<Vertx> started = new ArrayList<>();
    private final Queue<String> gone = new ConcurrentLinkedQueue<>();

    private static Certificates.Made authority() {
        return Certificates.authority("test", Instant.now(), Duration.ofDays(1));
    }

    private static MeshOptions.Tls tls(Certificates.Made authority) {
        Certificates.Made node =
                Certificates.node(
                        authority, "n", List.of("127.0.0.1"), Instant.now(), Duration.ofDays(1));
        return new MeshOptions.Tls(
                authority.certificatePem(), node.certificatePem(), node.keyPem());
    }

    private static MeshOptions options(int port, int join, String role) {
        return new MeshOptions(
                "127.0.0.1",
                port,
                0,
                "127.0.0.1",
                0,
                0,
                join == 0 ? List.of() : List.of("127.0.0.1:" + join),
                Set.of(role),
                "1.0",
                tls(AUTHORITY),
                SECRET);
    }

    private static MeshOptions with(MeshOptions o, MeshOptions.Tls tls, ClusterSecret secret) {
        return new MeshOptions(
                o.host(),
                o.port(),
                o.eventPort(),
                o.publicHost(),
                o.publicPort(),
                o.publicEventPort(),
                o.join(),
                o.roles(),
                o.version(),
                tls,
                secret);
    }

    private record Node(Vertx vertx, MeshClusterManager manager) {}

    private Node start(MeshOptions options) throws Exception {
        MeshClusterManager manager = new MeshClusterManager(options, left -> gone.add(left.node()));
        Vertx vertx =
                await(
                        Vertx.builder()
                                .with(
                                        new VertxOptions()
                                                .setEventLoopPoolSize(1)
                                                .setEventBusOptions(options.eventBus()))
                                .withClusterManager(manager)
                                .buildClustered());
        started.add(vertx);
        return new Node(vertx, manager);
    }

    private static <T> T await(Future<T> future) throws Exception {
        return future.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private static void until(String what, BooleanSupplier holds) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!holds.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(deadline);
            Thread.sleep(10);
        }
    }

    private static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    @AfterEach
    void stop() throws Exception {
        for (Vertx vertx : started) {
            await(vertx.close());
        }
    }

    @Test
    void nodesFindEachOtherThroughOneAndCallEachOther() throws Exception {
        int port = freePort();
        Node first = start(options(port, 0, "bus"));
        Node second = start(options(0, port, "embedding"));
        Node third = start(options(0, port, "embedding"));
        until("all know all", () -> second.manager.members().size() == 2);
        until("all know all", () -> third.manager.members().size() == 2);
        third.vertx.eventBus().<String>consumer("upper", m -> m.reply(m.body().toUpperCase()));
        until("the second knows who listens", () -> listens(second, "upper"));
        assertThat(await(second.vertx.eventBus().<String>request("upper", "word")).body())
                .isEqualTo("WORD");

        String left = third.manager.getNodeId();
        started.remove(third.vertx);
        await(third.vertx.close());
        until("both have seen it go", () -> gone.stream().filter(left::equals).count() == 2);
        assertThatThrownBy(() -> await(second.vertx.eventBus().request("upper", "word")))
                .isInstanceOf(ReplyException.class);
        assertThat(first.manager.getNodes()).hasSize(2);
    }

    private static boolean listens(Node node, String address) {
        List<Integer> sizes = new ArrayList<>();
        node.manager.getRegistrations(address, (all, failure) -> sizes.add(all.size()));
        return sizes.getFirst() > 0;
    }

    @Test
    void listenersThatComeAndGoAreToldToAll() throws Exception {
        int port = freePort();
        Node first = start(options(port, 0, "bus"));
        for (int i = 0; i < 2_500; i++) {
            first.vertx.eventBus().consumer("many." + i, m -> {});
        }
        Node second = start(options(0, port, "embedding"));
        until("more than a message holds", () -> listens(second, "many.2499"));
        assertThat(listens(second, "many.0")).isTrue();
        var consumer = first.vertx.eventBus().consumer("one", m -> {});
        first.vertx.eventBus().localConsumer("own", m -> {});
        until("a new one", () -> listens(second, "one"));
        await(consumer.unregister());
        until("it has gone", () -> !listens(second, "one"));
        assertThat(listens(second, "own")).isFalse();
    }

    @Test
    void anotherSecretIsRefusedAndTheNodeDoesNotStart() throws Exception {
        int port = freePort();
        start(options(port, 0, "bus"));
        MeshOptions other =
                with(
                        options(0, port, "embedding"),
                        tls(AUTHORITY),
                        new ClusterSecret("quite another secret"));
        assertThatThrownBy(() -> start(other))
                .hasMessageContaining("another cluster secret")
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.UNAUTHENTICATED);
    }

    @Test
    void aCertificateOfAnotherAuthorityIsRefused() throws Exception {
        int port = freePort();
        start(options(port, 0, "bus"));
        MeshOptions other = with(options(0, port, "embedding"), tls(authority()), SECRET);
        assertThatThrownBy(() -> start(other))
                .hasMessageContaining("certificates")
                .isInstanceOf(NeuralCoreException.class);
    }

    @Test
    void aSecondNodeWithTheBusIsRefused() throws Exception {
        int port = freePort();
        start(options(port, 0, "bus"));
        assertThatThrownBy(() -> start(options(0, port, "bus")))
                .hasMessageContaining("has the role bus");
    }

    @Test
    void aPortThatIsTakenIsNamed() throws Exception {
        int port = freePort();
        start(options(port, 0, "bus"));
        assertThatThrownBy(() -> start(options(port, 0, "embedding")))
                .hasMessageContaining("127.0.0.1:" + port)
                .hasMessageContaining("cluster.host")
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.PORT_IN_USE);
    }

    @Test
    void aNodeStartsWithoutThoseItIsToJoinAndJoinsWhenTheyCome() throws Exception {
        int port = freePort();
        Node early = start(options(0, port, "embedding"));
        assertThat(early.manager.members()).isEmpty();
        start(options(port, 0, "bus"));
        until("it has joined", () -> early.manager.members().size() == 1);
    }

    /** A length of 2 GiB and a forged message, without TLS and with TLS but no certificate. */
    @Test
    void aNodeTooBusyToShakeHandsIsNoStranger() throws Exception {
        Node busy;
        int port;
        try (ServerSocket silent = new ServerSocket(0, 9, InetAddress.getLoopbackAddress())) {
            port = silent.getLocalPort();
            busy = start(options(0, port, "embedding"));
        }
        Node late = start(options(port, 0, "bus"));

        until("they meet", () -> late.manager.members().size() == 1);
        assertThat(busy.manager.members()).hasSize(1);
    }

    @Test
    void strangersGetNoFurtherThanTheHandshake() throws Exception {
        int port = freePort();
        Node node = start(options(port, 0, "bus"));
        List<String> heard = new ArrayList<>();
        node.vertx.eventBus().consumer("neuralcore.internal.stop", m -> heard.add("stop"));
        int eventPort = node.manager.getNodeInfo().port();
        for (int door : new int[] {port, eventPort}) {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), door)) {
                socket.setSoTimeout((int) TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
                byte[] forged = ByteBuffer.allocate(64).putInt(Integer.MAX_VALUE).array();
                socket.getOutputStream().write(forged);
                assertThat(drained(socket.getInputStream())).as("port %d", door).isLessThan(100);
            }
            Vertx stranger = Vertx.vertx();
            try {
                NetClientOptions noCertificate = new NetClientOptions();
                noCertificate.setSsl(true).setTrustAll(true).setHostnameVerificationAlgorithm("");
                Future<?> closed =
                        stranger.createNetClient(noCertificate)
                                .connect(door, "127.0.0.1")
                                .compose(
                                        socket -> {
                                            var end = io.vertx.core.Promise.<Void>promise();
                                            socket.handler(
                                                    bytes -> end.fail("it answered " + bytes));
                                            socket.closeHandler(end::tryComplete);
                                            return end.future();
                                        })
                                .recover(
                                        refused ->
                                                String.valueOf(refused.getMessage())
                                                                .contains("answered")
                                                        ? Future.failedFuture(refused)
                                                        : Future.succeededFuture());
                await(closed);
            } finally {
                await(stranger.close());
            }
        }
        assertThat(heard).isEmpty();
        assertThat(node.manager.members()).isEmpty();
    }

    private static int drained(InputStream in) {
        int bytes = 0;
        try {
            while (in.read() >= 0) {
                bytes++;
            }
        } catch (java.io.IOException reset) {
            return bytes;
        }
        return bytes;
    }
}
