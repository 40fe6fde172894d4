package verticles;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.socket.nio.NioChannelOption;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.internal.buffer.BufferInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.NetSocket;
import io.vertx.core.net.SocketAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;
import neuralcore.bridge.Greeting;
import neuralcore.bridge.Limits;
import neuralcore.bridge.Session;
import neuralcore.bridge.Sessions;
import neuralcore.bridge.SocketTransport;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.FrameReader;
import neuralcore.wire.NeuralCoreException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The door: a unix socket for this user, and loopback TCP for whoever has the token. */
public final class BridgeVerticle extends VerticleBase {
    private static final Logger log = LoggerFactory.getLogger(BridgeVerticle.class);
    private static final int LEAST_READ = 4 << 10;
    private static final int MOST_READ = 64 << 10;
    private static final String OWN_USER = System.getProperty("user.name");

    private final RuntimeConfig.Bridge config;
    private final Limits limits;
    private final Token token;
    private final Greeting greeting;
    private final MeterRegistry meters;
    private final Counter refused;
    private volatile int port;

    public BridgeVerticle(
            RuntimeConfig.Bridge config, Token token, Greeting greeting, MeterRegistry meters) {
        this.config = config;
        this.limits = Limits.of(config);
        this.token = token;
        this.greeting = greeting;
        this.meters = meters;
        this.refused = meters.counter("neuralcore_bridge_refused_total");
    }

    /** The TCP port, once started. */
    public int port() {
        return port;
    }

    @Override
    public Future<?> start() {
        Future<?> unix =
                listen(SocketAddress.domainSocketAddress(config.socket().toString()), true)
                        .onSuccess(server -> restrict(config.socket()));
        Future<?> tcp =
                listen(SocketAddress.inetSocketAddress(config.port(), config.host()), false)
                        .onSuccess(server -> port = server.actualPort());
        return Future.all(unix, tcp);
    }

    /** Each listener counts its own, so that strangers at TCP keep nobody from the unix socket. */
    private Future<NetServer> listen(SocketAddress address, boolean unix) {
        Sessions sessions = new Sessions(vertx, config, token, greeting, meters);
        meters.gauge(
                "neuralcore_bridge_connections",
                Tags.of("listener", unix ? "unix" : "tcp"),
                sessions,
                Sessions::size);
        NetServerOptions options = new NetServerOptions().setTcpNoDelay(!unix);
        return vertx.createNetServer(options)
                .connectHandler(socket -> accept(sessions, socket, unix))
                .exceptionHandler(failure -> log.debug("a connection failed early", failure))
                .listen(address)
                .recover(failure -> Future.failedFuture(cannotListen(address, failure)));
    }

    private void accept(Sessions sessions, NetSocket socket, boolean unix) {
        offerRoom(channel(socket));
        Session session = sessions.begin("c-", new SocketTransport(socket), unix);
        FrameReader reader = new FrameReader(limits.textFrame(), limits.binaryFrame());
        socket.closeHandler(closed -> sessions.ended(session));
        socket.exceptionHandler(failure -> log.debug("connection broke", failure));
        if (unix && !isOwnUser(socket)) {
            refused.increment();
            session.refuse(
                    new NeuralCoreException(
                            ErrorCode.ACCESS_DENIED, "The socket is for the daemon's user only."));
            return;
        }
        socket.handler(
                chunk -> {
                    try {
                        reader.feed(
                                ((BufferInternal) chunk).getByteBuf().nioBuffer(),
                                session::receive);
                        session.arrived(chunk.length());
                    } catch (NeuralCoreException e) {
                        refused.increment();
                        socket.handler(ignored -> {});
                        session.refuse(e);
                    }
                });
    }

    /**
     * Has a small frame come in by one system call: left alone, Netty offers as much room as the
     * last frames took, and the next may be some bytes longer.
     */
    private static void offerRoom(Channel channel) {
        channel.config()
                .setRecvByteBufAllocator(
                        new AdaptiveRecvByteBufAllocator(LEAST_READ, LEAST_READ, MOST_READ));
    }

    private static Channel channel(NetSocket socket) {
        return ((NetSocketInternal) socket).channelHandlerContext().channel();
    }

    private static boolean isOwnUser(NetSocket socket) {
        UnixDomainPrincipal peer =
                channel(socket)
                        .config()
                        .getOption(NioChannelOption.of(ExtendedSocketOptions.SO_PEERCRED));
        return peer != null && peer.user().getName().equals(OWN_USER);
    }

    /** The folder is closed to others already; this closes the socket itself too. */
    private static void restrict(Path socket) {
        try {
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
        } catch (IOException e) {
            log.warn("{} keeps its default mode: {}", socket, e.toString());
        }
    }

    private static NeuralCoreException cannotListen(SocketAddress address, Throwable failure) {
        return new NeuralCoreException(
                ErrorCode.PORT_IN_USE,
                "Cannot listen on %s: %s. Choose another with bridge.port (0 picks a free one)."
                        .formatted(address, failure.getMessage()),
                failure);
    }
}
