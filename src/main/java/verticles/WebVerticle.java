package verticles;

import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.sockjs.SockJSHandler;
import io.vertx.ext.web.handler.sockjs.SockJSHandlerOptions;
import io.vertx.ext.web.handler.sockjs.SockJSSocket;
import io.vertx.ext.web.handler.sockjs.Transport;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import neuralcore.bridge.Greeting;
import neuralcore.bridge.HttpGate;
import neuralcore.bridge.OpenAiDoor;
import neuralcore.bridge.Session;
import neuralcore.bridge.Sessions;
import neuralcore.bridge.SockJsTransport;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.ops.ClusterStatus;
import neuralcore.ops.Readiness;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/** HTTP: health, metrics, and SockJS at {@code /eventbus}, all behind one gate. */
public final class WebVerticle extends VerticleBase {
    private final RuntimeConfig.Web config;
    private final RuntimeConfig.Bridge bridge;
    private final Token token;
    private final Greeting greeting;
    private final Readiness readiness;
    private final PrometheusMeterRegistry meters;
    private final AtomicInteger connections = new AtomicInteger();
    private volatile int port;

    public WebVerticle(
            RuntimeConfig.Web config,
            RuntimeConfig.Bridge bridge,
            Token token,
            Greeting greeting,
            Readiness readiness,
            PrometheusMeterRegistry meters) {
        this.config = config;
        this.bridge = bridge;
        this.token = token;
        this.greeting = greeting;
        this.readiness = readiness;
        this.meters = meters;
    }

    /** The HTTP port, once started. */
    public int port() {
        return port;
    }

    @Override
    public Future<?> start() {
        Sessions sessions = new Sessions(vertx, bridge, token, greeting, meters);
        meters.gauge("neuralcore_sockjs_connections", sessions, Sessions::size);
        HttpGate gate = new HttpGate(config.allowedHosts(), config.allowedOrigins(), token);
        Router router = Router.router(vertx);
        router.route().handler(gate::checkHostAndOrigin);
        router.get("/health/live").handler(context -> context.json(status("UP")));
        router.get("/health/ready").handler(this::ready);
        router.route().handler(gate::checkToken);
        router.get("/health").handler(this::health);
        router.get("/health/cluster").handler(this::cluster);
        router.get("/metrics").handler(this::metrics);
        new OpenAiDoor(vertx, bridge.maxTextFrame()).mount(router);
        router.route("/eventbus/*").subRouter(sockJs(sessions));
        return vertx.createHttpServer(serverOptions())
                .connectionHandler(this::admit)
                .requestHandler(router)
                .listen(config.port(), config.host())
                .onSuccess(server -> port = server.actualPort())
                .recover(failure -> Future.failedFuture(cannotListen(failure)));
    }

    private HttpServerOptions serverOptions() {
        return new HttpServerOptions()
                .setHttp2ClearTextEnabled(false)
                .setMaxWebSocketFrameSize(bridge.maxTextFrame())
                .setMaxWebSocketMessageSize(bridge.maxTextFrame())
                .setMaxFormAttributeSize(bridge.maxTextFrame())
                .setIdleTimeout((int) bridge.idle().toSeconds());
    }

    /** Before a token can be asked for: whoever keeps connections open keeps only so many. */
    private void admit(HttpConnection connection) {
        if (connections.incrementAndGet() > bridge.maxConnections()) {
            connection.close();
        }
        connection.closeHandler(closed -> connections.decrementAndGet());
    }

    /**
     * WebSockets only. The transports for browsers without them take each message by a request of
     * its own, so that a client that sends too fast could not be made to wait.
     */
    private Router sockJs(Sessions sessions) {
        SockJSHandlerOptions options = new SockJSHandlerOptions();
        for (Transport transport : Transport.values()) {
            if (transport != Transport.WEBSOCKET) {
                options.addDisabledTransport(transport.name());
            }
        }
        return SockJSHandler.create(vertx, options)
                .socketHandler(socket -> accept(sessions, socket));
    }

    private void accept(Sessions sessions, SockJSSocket socket) {
        Session session = sessions.begin("s-", new SockJsTransport(socket), true);
        socket.closeHandler(closed -> sessions.ended(session));
        socket.handler(
                message -> {
                    receive(session, message.getBytes());
                    session.arrived(message.length());
                });
    }

    /** SockJS frames messages itself; what is not JSON must not reach the binary decoder. */
    private void receive(Session session, byte[] message) {
        if (message.length > bridge.maxTextFrame()) {
            session.refuse(
                    new NeuralCoreException(
                            ErrorCode.FRAME_TOO_LARGE,
                            "A message of %d bytes exceeds the limit of %d."
                                    .formatted(message.length, bridge.maxTextFrame())));
        } else if (message.length == 0 || message[0] != '{') {
            session.refuse(
                    new NeuralCoreException(
                            ErrorCode.MALFORMED_FRAME, "A SockJS message must be a JSON object."));
        } else {
            session.receive(ByteBuffer.wrap(message));
        }
    }

    private void ready(RoutingContext context) {
        boolean ready = readiness.isReady();
        context.response().setStatusCode(ready ? 200 : 503);
        JsonObject status = status(ready ? "UP" : "DOWN");
        ClusterStatus cluster = ClusterStatus.of(vertx);
        if (cluster != null) {
            status.put("cluster", new JsonObject(cluster.counted()));
        }
        context.json(status);
    }

    private void health(RoutingContext context) {
        Map<String, @Nullable Object> health = readiness.describe();
        ClusterStatus cluster = ClusterStatus.of(vertx);
        if (cluster != null) {
            health.put("nodes", cluster.described());
        }
        context.json(new JsonObject(Json.writeText(health)));
    }

    private void cluster(RoutingContext context) {
        ClusterStatus cluster = ClusterStatus.of(vertx);
        if (cluster == null) {
            context.response().setStatusCode(404).end("This node is in no cluster.\n");
        } else {
            context.response()
                    .putHeader("content-type", "text/plain; charset=utf-8")
                    .end(cluster.table());
        }
    }

    private void metrics(RoutingContext context) {
        context.response()
                .putHeader("content-type", "text/plain; version=0.0.4; charset=utf-8")
                .end(meters.scrape());
    }

    private static JsonObject status(String status) {
        return new JsonObject().put("status", status);
    }

    private NeuralCoreException cannotListen(Throwable failure) {
        return new NeuralCoreException(
                ErrorCode.PORT_IN_USE,
                "Cannot listen for HTTP on %s:%d: %s. Choose another with web.port (0 picks a free one)."
                        .formatted(config.host(), config.port(), failure.getMessage()),
                failure);
    }
}
