package verticles;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
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
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;
import neuralcore.bridge.AddressRules;
import neuralcore.bridge.Greeting;
import neuralcore.bridge.Limits;
import neuralcore.bridge.Session;
import neuralcore.bridge.SocketTransport;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.FrameReader;
import neuralcore.wire.NeuralCoreException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The door: a unix socket for this user, and loopback TCP for whoever has the token. */
public final class BridgeVerticle extends VerticleBase {
    private static final Logger log = LoggerFactory.getLogger(BridgeVerticle.class);
    private static final long SWEEP_MILLIS = 1_000;
    private static final String OWN_USER = System.getProperty("user.name");

    private final RuntimeConfig.Bridge config;
    private final Limits limits;
    private final AddressRules rules;
    private final Token token;
    private final Greeting greeting;
    private final Set<Session> sessions = ConcurrentHashMap.newKeySet();
    private final Counter refused;
    private volatile int port;

    public BridgeVerticle(
            RuntimeConfig.Bridge config, Token token, Greeting greeting, MeterRegistry meters) {
        this.config = config;
        this.limits = Limits.of(config);
        this.rules = new AddressRules(config.inbound(), config.outbound());
        this.token = token;
        this.greeting = greeting;
        this.refused = meters.counter("neuralcore_bridge_refused_total");
        meters.gauge("neuralcore_bridge_connections", sessions, Set::size);
    }

    /** The TCP port, once started. */
    public int port() {
        return port;
    }

    @Override
    public Future<?> start() {
        vertx.setPeriodic(SWEEP_MILLIS, timer -> sessions.forEach(Session::enforceDeadlines));
        Future<?> unix =
                listen(SocketAddress.domainSocketAddress(config.socket().toString()), true)
                        .onSuccess(server -> restrict(config.socket()));
        Future<?> tcp =
                listen(SocketAddress.inetSocketAddress(config.port(), config.host()), false)
                        .onSuccess(server -> port = server.actualPort());
        return Future.all(unix, tcp);
    }

    private Future<NetServer> listen(SocketAddress address, boolean unix) {
        NetServerOptions options = new NetServerOptions().setTcpNoDelay(!unix);
        return vertx.createNetServer(options)
                .connectHandler(socket -> accept(socket, unix))
                .exceptionHandler(failure -> log.debug("a connection failed early", failure))
                .listen(address)
                .recover(failure -> Future.failedFuture(cannotListen(address, failure)));
    }

    private void accept(NetSocket socket, boolean unix) {
        Session session =
                new Session(
                        vertx,
                        "c-" + UUID.randomUUID(),
                        new SocketTransport(socket),
                        unix,
                        limits,
                        rules,
                        token,
                        greeting);
        FrameReader reader = new FrameReader(limits.textFrame(), limits.binaryFrame());
        sessions.add(session);
        vertx.eventBus().publish(Addresses.CONNECTIONS, 1, Services.local());
        socket.closeHandler(
                closed -> {
                    sessions.remove(session);
                    session.closed();
                    vertx.eventBus().publish(Addresses.CONNECTIONS, -1, Services.local());
                });
        socket.exceptionHandler(failure -> log.debug("connection broke", failure));
        if (sessions.size() > config.maxConnections()) {
            refuse(
                    session,
                    ErrorCode.LIMIT_EXCEEDED,
                    "The daemon has %d connections, the most it may."
                            .formatted(config.maxConnections()));
            return;
        }
        if (unix && !isOwnUser(socket)) {
            refuse(session, ErrorCode.ACCESS_DENIED, "The socket is for the daemon's user only.");
            return;
        }
        socket.handler(
                chunk -> {
                    try {
                        reader.feed(
                                ((BufferInternal) chunk).getByteBuf().nioBuffer(),
                                session::receive);
                    } catch (NeuralCoreException e) {
                        refused.increment();
                        socket.handler(ignored -> {});
                        session.refuse(e);
                    }
                });
    }

    private void refuse(Session session, ErrorCode code, String message) {
        refused.increment();
        session.refuse(new NeuralCoreException(code, message));
    }

    private static boolean isOwnUser(NetSocket socket) {
        Channel channel = ((NetSocketInternal) socket).channelHandlerContext().channel();
        UnixDomainPrincipal peer =
                channel.config().getOption(NioChannelOption.of(ExtendedSocketOptions.SO_PEERCRED));
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
