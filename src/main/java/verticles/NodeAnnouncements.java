package verticles;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import neuralcore.cluster.Announcement;
import neuralcore.embedding.ModelSpec;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.ClusterMember;
import neuralcore.eventbus.Services;
import neuralcore.ops.Readiness;
import neuralcore.ops.Version;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the cluster, each second, that this node embeds, and with what. Used by {@link
 * EmbeddingVerticle}'s event loop alone.
 */
public final class NodeAnnouncements {
    private static final Logger log = LoggerFactory.getLogger(NodeAnnouncements.class);
    private static final long EVERY_MILLIS = 1_000;
    private static final long LOOK_MILLIS = 20;

    /** What there is to tell of the work. */
    interface Work {
        int waitingTexts();

        boolean isIdle();
    }

    private final Vertx vertx;
    private final String node = UUID.randomUUID().toString();
    private final long since = System.currentTimeMillis();
    private final int capacity;
    private final Work work;
    private @Nullable ModelSpec model;
    private boolean leaving;

    /**
     * @param capacity tokens that are computed side by side
     */
    NodeAnnouncements(Vertx vertx, int capacity, Work work) {
        this.vertx = vertx;
        this.capacity = capacity;
        this.work = work;
    }

    /** This node's name, another one after each start. */
    String node() {
        return node;
    }

    /** Answers those who ask, and sees to leaving. Nothing is announced before there is a model. */
    Future<?> start() {
        vertx.setPeriodic(EVERY_MILLIS, timer -> announce());
        Services.offerLocally(vertx, Addresses.CLUSTER_LEAVE, request -> leave());
        vertx.eventBus()
                .<JsonObject>consumer(Addresses.CLUSTER_REFUSED, told -> judged(told.body()));
        return vertx.eventBus().consumer(Addresses.CLUSTER_WHO, asked -> announce()).completion();
    }

    /** The default model is loaded. */
    void ready(ModelSpec loaded) {
        model = loaded;
        announce();
    }

    /** A door says whether it uses this node; one that is not used is not ready. */
    private void judged(JsonObject told) {
        if (!node.equals(told.getString("node"))) {
            return;
        }
        String reason = told.getString("reason", "");
        if (reason.isEmpty()) {
            log.info("This node embeds for the cluster");
        } else {
            log.warn("The cluster sends this node nothing to embed: {}", reason);
        }
        Readiness.tell(vertx, Readiness.CLUSTER, reason.isEmpty(), reason);
    }

    private void announce() {
        ModelSpec loaded = model;
        if (loaded == null) {
            return;
        }
        Announcement told =
                new Announcement(
                        node,
                        ClusterMember.of(vertx),
                        since,
                        Version.NUMBER,
                        loaded.name(),
                        loaded.digest(),
                        loaded.precision().shown(),
                        capacity,
                        work.waitingTexts(),
                        work.isIdle(),
                        leaving);
        vertx.eventBus().publish(Addresses.CLUSTER_ANNOUNCEMENT, new JsonObject(told.toMap()));
    }

    private Future<Reply> leave() {
        leaving = true;
        announce();
        Promise<Reply> done = Promise.promise();
        vertx.setPeriodic(
                LOOK_MILLIS,
                timer -> {
                    if (work.isIdle()) {
                        vertx.cancelTimer(timer);
                        done.complete(Reply.of(Map.of()));
                    }
                });
        return done.future();
    }

    /** Has this node take no more and waits until it has answered what it had. */
    public static Future<?> leave(Vertx vertx, Duration most) {
        return Services.call(
                vertx, new Request(Addresses.CLUSTER_LEAVE, Params.EMPTY, List.of()), most);
    }
}
