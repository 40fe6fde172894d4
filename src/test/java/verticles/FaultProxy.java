package verticles;

import io.vertx.core.Vertx;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetSocket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Stands between a relay and its broker and breaks what passes: connections reset, bytes that
 * vanish while the connection stays (a black hole), or in one direction only (half-open), or come
 * late.
 */
final class FaultProxy {
    /** What it does to bytes; connections made meanwhile suffer the same. */
    enum Fault {
        NONE,
        BLACK_HOLE,
        HALF_OPEN,
        LATE
    }

    private static final long LATE_MILLIS = 20;

    private final Vertx vertx;
    private final int target;
    private final NetServer server;
    private final Set<NetSocket> sockets = ConcurrentHashMap.newKeySet();
    private final AtomicInteger accepted = new AtomicInteger();
    private volatile Fault fault = Fault.NONE;

    FaultProxy(Vertx vertx, int target) throws Exception {
        this(vertx, target, 0);
    }

    /**
     * @param port to listen on; 0 for any
     */
    FaultProxy(Vertx vertx, int target, int port) throws Exception {
        this.vertx = vertx;
        this.target = target;
        this.server = vertx.createNetServer().connectHandler(this::accept);
        server.listen(port, "127.0.0.1").await(60, TimeUnit.SECONDS);
    }

    String url() {
        return "redis://127.0.0.1:" + server.actualPort();
    }

    int port() {
        return server.actualPort();
    }

    /** Connections that were ever made. */
    int accepted() {
        return accepted.get();
    }

    private void accept(NetSocket client) {
        accepted.incrementAndGet();
        sockets.add(client);
        client.pause();
        client.closeHandler(closed -> sockets.remove(client));
        client.exceptionHandler(e -> client.close());
        vertx.createNetClient()
                .connect(target, "127.0.0.1")
                .onComplete(
                        broker -> {
                            sockets.add(broker);
                            broker.closeHandler(
                                    closed -> {
                                        sockets.remove(broker);
                                        client.close();
                                    });
                            broker.exceptionHandler(e -> broker.close());
                            client.closeHandler(
                                    closed -> {
                                        sockets.remove(client);
                                        broker.close();
                                    });
                            broker.handler(bytes -> pass(bytes, client, false));
                            client.handler(bytes -> pass(bytes, broker, true));
                            client.resume();
                        },
                        refused -> client.close());
    }

    private void pass(io.vertx.core.buffer.Buffer bytes, NetSocket to, boolean toBroker) {
        switch (fault) {
            case NONE -> to.write(bytes);
            case LATE -> vertx.setTimer(LATE_MILLIS, timer -> to.write(bytes));
            case HALF_OPEN -> {
                if (toBroker) {
                    to.write(bytes);
                }
            }
            case BLACK_HOLE -> {
                // Gone.
            }
        }
    }

    void set(Fault next) {
        fault = next;
    }

    /** Ends all connections. */
    void reset() {
        sockets.forEach(NetSocket::close);
    }
}
