import io.vertx.core.Vertx;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.SocketAddress;
import io.vertx.ext.bridge.BridgeOptions;
import io.vertx.ext.bridge.PermittedOptions;
import io.vertx.ext.eventbus.bridge.tcp.TcpEventBusBridge;
import java.util.concurrent.CountDownLatch;

/**
 * What the daemon's round trip is measured against, in one JVM of its own: a bare Vert.x socket that
 * sends back every byte (the floor that this stack allows), over a unix socket and TCP, and the stock
 * Vert.x TCP bridge with an echoing consumer. Prints the two ports, then runs until its input ends.
 *
 * <p>Run as a source file with the class path that {@code pom.xml} beside it names.
 */
final class Peers {
    private static final String ADDRESS = "test.echo";

    static void main(String[] arguments) throws Exception {
        Vertx vertx = Vertx.vertx();
        listen(vertx, SocketAddress.domainSocketAddress(arguments[0]));
        NetServer tcp = listen(vertx, SocketAddress.inetSocketAddress(0, "127.0.0.1"));

        vertx.eventBus().<Object>consumer(ADDRESS, message -> message.reply(message.body()));
        BridgeOptions permitted =
                new BridgeOptions()
                        .addInboundPermitted(new PermittedOptions().setAddress(ADDRESS))
                        .addOutboundPermitted(new PermittedOptions().setAddress(ADDRESS));
        int bridgePort = freePort();
        TcpEventBusBridge.create(vertx, permitted).listen(bridgePort, "127.0.0.1").await();

        IO.println(tcp.actualPort() + " " + bridgePort);
        CountDownLatch ended = new CountDownLatch(1);
        Thread.ofVirtual()
                .start(
                        () -> {
                            try {
                                while (System.in.read() >= 0) {}
                            } catch (java.io.IOException e) {
                                // The reading end is gone, which is what is waited for.
                            }
                            ended.countDown();
                        });
        ended.await();
        vertx.close().await();
    }

    private static NetServer listen(Vertx vertx, SocketAddress where) {
        return vertx.createNetServer()
                .connectHandler(socket -> socket.handler(socket::write))
                .listen(where)
                .await();
    }

    /** The stock bridge does not say which port it took for 0. */
    private static int freePort() throws java.io.IOException {
        try (java.net.ServerSocket socket = new java.net.ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
