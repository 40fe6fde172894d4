package verticles.relay;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import neuralcore.relay.KafkaProperties;
import neuralcore.relay.Link;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.RelayStatus;
import neuralcore.relay.Route;
import neuralcore.relay.schema.SchemaRegistry;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.apache.kafka.clients.admin.Admin;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A relay to Kafka. Everything happens on the event loop of its verticle.
 *
 * <p>Other than with Redis, no connection is ours: Kafka's clients hold several, and make lost ones
 * anew by themselves without giving up what is under way, or their place in a group. So producers
 * and consumers stay from the first connection until the relay is switched off; what is followed
 * here is whether the cluster answers, by a client that does nothing but ask.
 */
public final class KafkaRelay implements Relay {
    private static final Logger log = LoggerFactory.getLogger(KafkaRelay.class);

    private static final long BEAT_MILLIS = 500;

    /** With nothing here for so long, the bus has nothing more either. */
    private static final int DRAINED_BEATS = 2;

    /** How long a question about health may take, whatever the cluster does. */
    private static final long HEALTH_MILLIS = 60;

    private final Vertx vertx;
    private final RelayContext relay;
    private final KafkaProperties properties;
    private final Link link;
    private final KafkaRoutes routes;
    private final RelayDirect direct;

    private RelayConfig config;
    private @Nullable KafkaCluster cluster;
    private @Nullable KafkaSender directSender;
    private boolean running;
    private long beatTimer = -1;
    private boolean draining;
    private int quietBeats;
    private long answeredNanos;

    public KafkaRelay(
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
        this.properties =
                new KafkaProperties(
                        config, Objects.requireNonNull(config.kafka()), System.getenv());
        this.routes = new KafkaRoutes(relay, properties, this::identity, this::renew);
        this.link = new Link(config.reconnectMillis(), config.reconnectAttempts(), random);
        this.direct = new RelayDirect(relay, random.nextLong());
    }

    @Override
    public Future<Void> start() {
        beatTimer = vertx.setPeriodic(BEAT_MILLIS, timer -> beat());
        Future<Void> ready = Future.succeededFuture();
        for (Route route : config.routes()) {
            ready = ready.compose(done -> routes.add(route, config.enabled()));
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
        link.disconnect();
        return letGo().eventually(() -> relay.bus().close())
                .onComplete(done -> relay.codec().close());
    }

    private Future<String> identity(String topic) {
        KafkaCluster asked = cluster;
        return asked == null
                ? Future.failedFuture("the relay is not connected")
                : asked.identity(topic);
    }

    // Connecting

    private void connect() {
        long attempt = link.begin();
        // Reads passwords and certificates, and with Kerberos talks to its server.
        vertx.executeBlocking(() -> Admin.create(properties.admin()), false)
                .onComplete(
                        admin -> connect(attempt, new KafkaCluster(vertx, admin, patience())),
                        error -> lost(attempt, properties.reason(error)));
    }

    private void connect(long attempt, KafkaCluster opened) {
        if (!link.isCurrent(attempt)) {
            opened.close();
            return;
        }
        replace(opened);
        opened.ask()
                .onComplete(
                        answer -> {
                            if (link.isCurrent(attempt)) {
                                connected();
                            }
                        },
                        error -> lost(attempt, properties.reason(error)));
    }

    private int patience() {
        return (int) config.answerMillis();
    }

    private void replace(@Nullable KafkaCluster next) {
        if (cluster != null) {
            answeredNanos = Math.max(answeredNanos, cluster.answeredNanos());
            cluster.close();
        }
        cluster = next;
    }

    private void connected() {
        link.connected();
        log.info("Relay {} is connected to {}", config.name(), config.url());
        running = true;
        try {
            routes.open();
        } catch (RuntimeException e) {
            renew(properties.reason(e));
        }
    }

    private void lost(long attempt, String reason) {
        if (!link.isCurrent(attempt)) {
            return;
        }
        boolean wasConnected = link.status() == RelayStatus.CONNECTED;
        long wait = link.lost(reason);
        replace(null);
        if (wasConnected) {
            relay.metrics().errors++;
            log.warn("Relay {} has lost {}: {}", config.name(), config.url(), reason);
        }
        if (wait < 0) {
            log.error("Relay {} has given up {}: {}", config.name(), config.url(), reason);
            letGo();
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

    /** Begins anew with other clients, which read passwords and certificates again. */
    private void renew(String reason) {
        if (running) {
            letGo();
            lost(link.attempt(), reason);
        }
    }

    /** Done when the groups have been left. */
    private Future<Void> letGo() {
        running = false;
        replace(null);
        if (directSender != null) {
            directSender.close();
            directSender = null;
        }
        return routes.close();
    }

    /** Asks the cluster for a sign of life, and tells when none came. */
    private void beat() {
        KafkaCluster asked = cluster;
        if (asked == null || link.status() != RelayStatus.CONNECTED) {
            return;
        }
        long attempt = link.attempt();
        if (asked.silentNanos() > config.answerMillis() * 1_000_000) {
            lost(attempt, "no answer for %d ms".formatted(asked.silentNanos() / 1_000_000));
            return;
        }
        asked.ask().onFailure(error -> lost(attempt, properties.reason(error)));
        if (routes.isOverdue()) {
            renew("a consumer does not come back from reading");
            return;
        }
        if (draining) {
            quietBeats = routes.backlog() == 0 ? quietBeats + 1 : 0;
            if (quietBeats >= DRAINED_BEATS) {
                draining = false;
                off();
            }
        }
    }

    // What may be asked of it

    @Override
    public Future<Void> on() {
        if (draining) {
            draining = false;
            routes.resume();
        }
        if (link.status() != RelayStatus.DISCONNECTED && link.status() != RelayStatus.FAILED) {
            return Future.succeededFuture();
        }
        link.disconnect();
        return routes.subscribe().onSuccess(done -> connect());
    }

    @Override
    public Future<Void> off() {
        link.disconnect();
        return letGo().eventually(() -> routes.unsubscribe(false));
    }

    @Override
    public void drain() {
        draining = true;
        quietBeats = 0;
        routes.stop();
    }

    @Override
    public Future<Void> forget() {
        return routes.unsubscribe(true);
    }

    @Override
    public Future<Void> add(Route route) {
        config = config.with(route);
        return routes.add(route, config.enabled())
                .onSuccess(
                        done -> {
                            if (running) {
                                routes.open();
                            }
                        });
    }

    @Override
    public Future<Map<String, @Nullable Object>> publish(Params params) {
        if (!running || link.status() != RelayStatus.CONNECTED) {
            throw new NeuralCoreException(
                    ErrorCode.UNAVAILABLE,
                    "Relay '%s' is %s: %s"
                            .formatted(config.name(), link.status().word(), link.reason()),
                    config.reconnectMillis() / 1e3);
        }
        KafkaSender by = directSender;
        if (by == null) {
            by =
                    new KafkaSender(
                            relay, properties, "relay-%s-direct".formatted(config.name()), false);
            directSender = by;
        }
        return direct.publish(by, params);
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
        map.put("backlog", routes.backlog());
        map.put("routes", routes.describe());
        map.put("metrics", relay.metrics().toMap());
        return map;
    }

    @Override
    public Future<Map<String, @Nullable Object>> health() {
        KafkaCluster asked = cluster;
        if (asked == null || link.status() != RelayStatus.CONNECTED) {
            return Future.succeededFuture(health(false));
        }
        Promise<Map<String, @Nullable Object>> answer = Promise.promise();
        long timer = vertx.setTimer(HEALTH_MILLIS, fired -> answer.tryComplete(health(false)));
        asked.ask()
                .onComplete(
                        told -> answer.tryComplete(health(true)),
                        error -> answer.tryComplete(health(false)));
        return answer.future().onComplete(done -> vertx.cancelTimer(timer));
    }

    private Map<String, @Nullable Object> health(boolean healthy) {
        long last =
                cluster == null ? answeredNanos : Math.max(answeredNanos, cluster.answeredNanos());
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        map.put("name", config.name());
        map.put("healthy", healthy);
        map.put("status", link.status().word());
        map.put("reason", link.reason());
        map.put("answer_age", last == 0 ? -1.0 : (System.nanoTime() - last) / 1e9);
        return map;
    }
}
