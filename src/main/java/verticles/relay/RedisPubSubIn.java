package verticles.relay;

import io.vertx.core.Future;
import io.vertx.redis.client.Command;
import io.vertx.redis.client.RedisConnection;
import io.vertx.redis.client.Request;
import io.vertx.redis.client.Response;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import neuralcore.relay.Incoming;
import neuralcore.relay.Refusal;
import neuralcore.relay.Route;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * The incoming routes from Pub/Sub, on a connection of their own: what the server says while nobody
 * listens is lost, and so is what the bus has no room for; that is counted. What is being published
 * to the bus is bounded, beyond that nothing is read.
 *
 * <p>A server that has silently gone away sends nothing, as does one with nothing to say: the relay
 * therefore publishes a heartbeat to itself.
 */
final class RedisPubSubIn {
    /** Messages on their way into the bus before reading pauses, and at which it goes on. */
    private static final int PAUSE_AT = 32_768;

    private static final int RESUME_AT = 8_192;

    private final RelayContext relay;
    private final String heartbeat;
    private final long publisher = new SplittableRandom().nextLong();
    private final Map<String, List<Arrivals>> arrivals = new HashMap<>();
    private @Nullable RedisConnection connection;
    private long number;
    private int underWay;
    private boolean flushing;
    private boolean paused;
    private boolean stopped;
    private long heardNanos;

    /** What has come for one route and not gone on yet. */
    private static final class Arrivals {
        private final Route.In route;
        private List<Envelope> messages = new ArrayList<>();

        /** Why some of them go to the dead letters, by their numbers. */
        private Map<Long, Refusal> dead = new HashMap<>();

        Arrivals(Route.In route) {
            this.route = route;
        }
    }

    RedisPubSubIn(RelayContext relay) {
        this.relay = relay;
        this.heartbeat = "neuralcore.heartbeat." + relay.node() + "." + relay.config().name();
    }

    void add(Route.In route) {
        arrivals.computeIfAbsent(route.target().name(), name -> new ArrayList<>())
                .add(new Arrivals(route));
        RedisConnection open = connection;
        if (open != null) {
            open.send(Request.cmd(Command.SUBSCRIBE).arg(route.target().name()));
        }
    }

    boolean isEmpty() {
        return arrivals.isEmpty();
    }

    Future<Void> connected(RedisConnection own) {
        connection = own;
        paused = false;
        heardNanos = System.nanoTime();
        own.handler(this::heard);
        Request subscribe = Request.cmd(Command.SUBSCRIBE).arg(heartbeat);
        arrivals.keySet().forEach(subscribe::arg);
        return own.send(subscribe).mapEmpty();
    }

    void disconnected() {
        connection = null;
    }

    void stop() {
        stopped = true;
    }

    void resume() {
        stopped = false;
    }

    /** Sends the message that comes back here. */
    void beat(RedisCommands by) {
        by.beat(heartbeat);
    }

    long silentNanos() {
        return connection == null || paused ? 0 : System.nanoTime() - heardNanos;
    }

    private void heard(@Nullable Response push) {
        heardNanos = System.nanoTime();
        if (push == null || push.size() != 3 || !push.get(0).toString().equals("message")) {
            return;
        }
        List<Arrivals> to = arrivals.get(push.get(1).toString());
        if (to == null || stopped) {
            return;
        }
        byte[] data = push.get(2).toBytes();
        for (Arrivals each : to) {
            take(data, each);
        }
        if (!flushing) {
            flushing = true;
            relay.vertx().runOnContext(tick -> flush());
        }
        if (underWay >= PAUSE_AT && !paused && connection != null) {
            paused = true;
            connection.pause();
        }
    }

    private void take(byte[] data, Arrivals to) {
        Route.In route = to.route;
        try {
            Incoming incoming = relay.codec().decode(data);
            if (incoming.isLoop(relay.node())) {
                relay.metrics().loops++;
                return;
            }
            Envelope message =
                    incoming.toEnvelope(
                            route.channel(),
                            publisher,
                            ++number,
                            RelayContext.nowEpochNanos(),
                            relay.config().name(),
                            relay.place(route.target().name()));
            Refusal refusal = relay.refusal(message, incoming);
            if (refusal != null) {
                to.dead.put(message.sequence(), refusal);
            }
            to.messages.add(message);
            underWay++;
        } catch (NeuralCoreException e) {
            relay.metrics().malformed++;
        }
    }

    private void flush() {
        flushing = false;
        for (List<Arrivals> routes : arrivals.values()) {
            for (Arrivals each : routes) {
                if (!each.messages.isEmpty()) {
                    List<Envelope> messages = each.messages;
                    Map<Long, Refusal> dead = each.dead;
                    each.messages = new ArrayList<>();
                    each.dead = new HashMap<>();
                    relay.bus()
                            .publish(
                                    each.route.namespace(),
                                    messages,
                                    relay.routeName(each.route.target().name()),
                                    dead)
                            .onComplete(
                                    published -> done(messages.size(), dead.keySet(), published),
                                    error ->
                                            done(
                                                    messages.size(),
                                                    Set.of(),
                                                    new Frame.Published(0, 0, List.of())));
                }
            }
        }
    }

    private void done(int messages, Set<Long> dead, Frame.Published published) {
        underWay -= messages;
        long lost =
                published.rejections().stream()
                        .filter(each -> dead.contains(each.sequence()))
                        .count();
        relay.metrics().invalid += dead.size() - lost;
        relay.metrics().received += published.accepted() - (dead.size() - lost);
        relay.metrics().dropped += messages - published.accepted();
        RedisConnection open = connection;
        if (paused && underWay <= RESUME_AT && open != null) {
            paused = false;
            heardNanos = System.nanoTime();
            open.resume();
        }
    }
}
