package verticles.relay;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.redis.client.RedisConnection;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import neuralcore.relay.Link;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.RelayStatus;
import neuralcore.relay.Route;
import neuralcore.relay.RouteParams;
import neuralcore.relay.Target;
import neuralcore.relay.schema.SchemaRegistry;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A relay to Redis: keeps its connections, and gives its routes the work. Everything happens on the
 * event loop of its verticle.
 */
public final class RedisRelay implements Relay {
    private static final Logger log = LoggerFactory.getLogger(RedisRelay.class);

    private static final long BEAT_MILLIS = 500;

    /** With nothing here for so long, the bus has nothing more either. */
    private static final int DRAINED_BEATS = 2;

    /** How long a question about health may take, whatever the server does. */
    private static final long HEALTH_MILLIS = 60;

    private final Vertx vertx;
    private final RelayContext relay;
    private final Link link;
    private final List<RelayOut> outs = new ArrayList<>();
    private final List<RedisStreamIn> streams = new ArrayList<>();
    private final RedisPubSubIn pubsub;
    private final RelayDirect direct;

    /** Of the attempt under way, one for each stream. */
    private final List<RedisConnection> readers = new ArrayList<>();

    private RelayConfig config;
    private @Nullable RedisConnections connections;
    private @Nullable RedisCommands commands;
    private long beatTimer = -1;
    private boolean draining;
    private int quietBeats;
    private int subscriptions;
    private long answeredNanos;

    public RedisRelay(
            Vertx vertx,
            RelayConfig config,
            String node,
            String client,
            int maxUnpacked,
            SchemaRegistry schemas) {
        this.vertx = vertx;
        this.config = config;
        SplittableRandom random = new SplittableRandom();
        this.relay = RelayContext.of(vertx, config, node, client, maxUnpacked, schemas);
        this.link = new Link(config.reconnectMillis(), config.reconnectAttempts(), random);
        this.pubsub = new RedisPubSubIn(relay);
        this.direct = new RelayDirect(relay, random.nextLong());
    }

    /** Takes up the routes; returns before the server is reached. */
    @Override
    public Future<Void> start() {
        beatTimer = vertx.setPeriodic(BEAT_MILLIS, timer -> beat());
        Future<Void> ready = Future.succeededFuture();
        for (Route route : config.routes()) {
            ready = ready.compose(done -> open(route));
        }
        return ready.onSuccess(
                done -> {
                    if (config.enabled()) {
                        connect();
                    }
                });
    }

    @Override
    public Future<Void> stop() {
        vertx.cancelTimer(beatTimer);
        disconnect();
        return relay.bus().close().onComplete(done -> relay.codec().close());
    }

    private Future<Void> open(Route route) {
        return switch (route) {
            case Route.Out out -> {
                RelayOut opened = new RelayOut(relay, out, ++subscriptions);
                outs.add(opened);
                yield config.enabled() || Boolean.TRUE.equals(out.durable())
                        ? opened.subscribe()
                        : Future.succeededFuture();
            }
            case Route.In in -> {
                if (in.target() instanceof Target.StreamGroup group) {
                    streams.add(new RedisStreamIn(relay, in, group));
                } else {
                    pubsub.add(in);
                }
                yield Future.succeededFuture();
            }
        };
    }

    // Connecting

    private void connect() {
        long attempt = link.begin();
        RedisConnections opened =
                new RedisConnections(vertx, config, reason -> lost(attempt, reason));
        connections = opened;
        open(opened)
                .onComplete(
                        done -> {
                            if (link.isCurrent(attempt)) {
                                connected();
                            }
                        },
                        error -> opened.end(String.valueOf(error.getMessage())));
    }

    /** All connections that the routes need, and all that must be there before they work. */
    private Future<Void> open(RedisConnections to) {
        try {
            return to.open()
                    .compose(
                            connection -> {
                                RedisCommands opened = new RedisCommands(connection);
                                return openStreams(to, opened)
                                        .compose(done -> openPubSub(to))
                                        .onSuccess(
                                                done -> commands = to.isClosed() ? null : opened);
                            });
        } catch (RuntimeException e) {
            return Future.failedFuture(e);
        }
    }

    private Future<Void> openStreams(RedisConnections to, RedisCommands by) {
        Future<Void> ready = Future.succeededFuture();
        for (RedisStreamIn stream : streams) {
            ready =
                    ready.compose(done -> inTime(stream.prepare(by)))
                            .compose(done -> to.open())
                            .map(
                                    own -> {
                                        readers.add(own);
                                        return null;
                                    });
        }
        return ready;
    }

    private Future<Void> openPubSub(RedisConnections to) {
        return pubsub.isEmpty()
                ? Future.succeededFuture()
                : to.openToOne().compose(own -> inTime(pubsub.connected(own)));
    }

    /** No beat looks after an attempt that is not through: what it asks, it asks for so long. */
    private Future<Void> inTime(Future<Void> answer) {
        return answer.timeout(config.answerMillis(), TimeUnit.MILLISECONDS);
    }

    private void connected() {
        RedisConnections all = connections;
        RedisCommands by = commands;
        if (all == null || by == null) {
            return;
        }
        link.connected();
        log.info("Relay {} is connected to {}", config.name(), config.url());
        for (int i = 0; i < readers.size() && i < streams.size(); i++) {
            streams.get(i).connected(all, by, readers.get(i));
        }
        readers.clear();
        outs.forEach(out -> out.connected(by));
    }

    private void lost(long attempt, String reason) {
        if (!link.isCurrent(attempt)) {
            return;
        }
        boolean wasConnected = link.status() == RelayStatus.CONNECTED;
        letGo();
        long wait = link.lost(reason);
        if (wasConnected) {
            relay.metrics().errors++;
            log.warn("Relay {} has lost {}: {}", config.name(), config.url(), reason);
        }
        if (wait < 0) {
            log.error("Relay {} has given up {}: {}", config.name(), config.url(), reason);
            return;
        }
        vertx.setTimer(
                wait,
                timer -> {
                    if (link.isCurrent(attempt + 1)) {
                        connect();
                    }
                });
    }

    private void letGo() {
        if (commands != null) {
            answeredNanos = commands.answeredNanos();
        }
        commands = null;
        readers.clear();
        outs.forEach(RelayOut::disconnected);
        streams.forEach(RedisStreamIn::disconnected);
        pubsub.disconnected();
        if (connections != null) {
            connections.close();
            connections = null;
        }
    }

    private void disconnect() {
        link.disconnect();
        letGo();
    }

    /** Asks the server for a sign of life, and ends connections on which none came. */
    private void beat() {
        RedisConnections all = connections;
        RedisCommands by = commands;
        if (all == null || by == null || link.status() != RelayStatus.CONNECTED) {
            return;
        }
        long most = config.answerMillis() * 1_000_000;
        long silent = by.silentNanos();
        for (RedisStreamIn stream : streams) {
            silent = Math.max(silent, stream.overdueNanos());
        }
        if (!pubsub.isEmpty()) {
            silent = Math.max(silent, pubsub.silentNanos() - BEAT_MILLIS * 1_000_000);
        }
        if (silent > most) {
            all.end("no answer for %d ms".formatted(silent / 1_000_000));
            return;
        }
        if (pubsub.isEmpty()) {
            by.ping();
        } else {
            pubsub.beat(by);
        }
        if (draining) {
            quietBeats = backlog() == 0 ? quietBeats + 1 : 0;
            if (quietBeats >= DRAINED_BEATS) {
                draining = false;
                off();
            }
        }
    }

    // What may be asked of it

    /** Connects, if it is not connected or trying to. */
    @Override
    public Future<Void> on() {
        draining = false;
        streams.forEach(RedisStreamIn::resume);
        pubsub.resume();
        if (link.status() != RelayStatus.DISCONNECTED && link.status() != RelayStatus.FAILED) {
            return Future.succeededFuture();
        }
        link.disconnect();
        Future<Void> ready = Future.succeededFuture();
        for (RelayOut out : outs) {
            ready = ready.compose(done -> out.subscribe());
        }
        return ready.onSuccess(done -> connect());
    }

    /** Ends connections and subscriptions; what is persistent waits in the journal. */
    @Override
    public Future<Void> off() {
        disconnect();
        Future<Void> done = Future.succeededFuture();
        for (RelayOut out : outs) {
            done = done.compose(before -> out.unsubscribe(false));
        }
        return done;
    }

    /** Takes nothing in any more, sends what it has, then switches itself off. */
    @Override
    public void drain() {
        draining = true;
        quietBeats = 0;
        streams.forEach(RedisStreamIn::stop);
        pubsub.stop();
    }

    /** Gives up the places of durable routes in the journal, for good. */
    @Override
    public Future<Void> forget() {
        Future<Void> done = Future.succeededFuture();
        for (RelayOut out : outs) {
            done = done.compose(before -> out.unsubscribe(true));
        }
        return done;
    }

    /** One route more. An incoming one needs new connections, and so begins with a reconnect. */
    @Override
    public Future<Void> add(Route route) {
        config = config.with(route);
        return open(route)
                .onSuccess(
                        done -> {
                            RedisCommands by = commands;
                            if (route instanceof Route.Out && by != null) {
                                outs.getLast().connected(by);
                            } else if (connections != null) {
                                connections.end("a route was added");
                            }
                        });
    }

    /**
     * Sends messages straight to the server, past the bus, each with its outcome: null, or what
     * went wrong.
     */
    @Override
    public Future<Map<String, @Nullable Object>> publish(Params params) {
        RedisCommands by = commands;
        if (by == null || link.status() != RelayStatus.CONNECTED) {
            throw new NeuralCoreException(
                    ErrorCode.UNAVAILABLE,
                    "Relay '%s' is %s: %s"
                            .formatted(config.name(), link.status().word(), link.reason()),
                    config.reconnectMillis() / 1e3);
        }
        return direct.publish(by, params);
    }

    private int backlog() {
        return outs.stream().mapToInt(RelayOut::size).sum()
                + streams.stream().mapToInt(RedisStreamIn::size).sum();
    }

    @Override
    public Map<String, @Nullable Object> describe() {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        map.put("name", config.name());
        map.put("broker", config.brokerWord());
        map.put("url", config.url());
        map.put("status", draining ? "draining" : link.status().word());
        map.put("reason", link.reason());
        map.put("circuit", relay.breaker().isOpen() ? "open" : "closed");
        map.put("reconnects", link.reconnects());
        map.put("backlog", backlog());
        List<@Nullable Object> routes = new ArrayList<>();
        outs.forEach(out -> routes.add(out.describe()));
        config.routes().stream()
                .filter(route -> route instanceof Route.In)
                .forEach(route -> routes.add(RouteParams.toMap(route)));
        map.put("routes", routes);
        map.put("metrics", relay.metrics().toMap());
        return map;
    }

    /**
     * Asks the server, and answers in any case within {@value #HEALTH_MILLIS} ms: {@code healthy}
     * if the server did, and {@code answer_age}, seconds since it last said anything; -1 if it
     * never has.
     */
    @Override
    public Future<Map<String, @Nullable Object>> health() {
        RedisCommands by = commands;
        if (by == null || link.status() != RelayStatus.CONNECTED) {
            return Future.succeededFuture(health(false, answeredNanos));
        }
        Promise<Map<String, @Nullable Object>> answer = Promise.promise();
        long timer =
                vertx.setTimer(
                        HEALTH_MILLIS,
                        fired -> answer.tryComplete(health(false, by.answeredNanos())));
        by.ping()
                .onComplete(
                        pong -> answer.tryComplete(health(true, by.answeredNanos())),
                        error -> answer.tryComplete(health(false, by.answeredNanos())));
        return answer.future().onComplete(done -> vertx.cancelTimer(timer));
    }

    private Map<String, @Nullable Object> health(boolean healthy, long lastNanos) {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        map.put("name", config.name());
        map.put("healthy", healthy);
        map.put("status", link.status().word());
        map.put("reason", link.reason());
        map.put("answer_age", lastNanos == 0 ? -1.0 : (System.nanoTime() - lastNanos) / 1e9);
        return map;
    }
}
