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
import java.util.SplittableRandom;
import neuralcore.relay.Incoming;
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
            Envelope message = message(data, each.route);
            if (message != null) {
                each.messages.add(message);
                underWay++;
            }
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

    private @Nullable Envelope message(byte[] data, Route.In route) {
        try {
            Incoming incoming = relay.codec().decode(data);
            if (incoming.isLoop(relay.node())) {
                relay.metrics().loops++;
                return null;
            }
            return incoming.toEnvelope(
                    route.channel(),
                    publisher,
                    ++number,
                    RelayContext.nowEpochNanos(),
                    relay.config().name(),
                    relay.place(route.target().name()));
        } catch (NeuralCoreException e) {
            relay.metrics().malformed++;
            return null;
        }
    }

    private void flush() {
        flushing = false;
        for (List<Arrivals> routes : arrivals.values()) {
            for (Arrivals each : routes) {
                if (!each.messages.isEmpty()) {
                    List<Envelope> messages = each.messages;
                    each.messages = new ArrayList<>();
                    relay.bus()
                            .publish(each.route.namespace(), messages)
                            .onComplete(
                                    published -> done(messages.size(), published),
                                    error ->
                                            done(
                                                    messages.size(),
                                                    new Frame.Published(0, 0, List.of())));
                }
            }
        }
    }

    private void done(int messages, Frame.Published published) {
        underWay -= messages;
        relay.metrics().received += published.accepted();
        relay.metrics().dropped += messages - published.accepted();
        RedisConnection open = connection;
        if (paused && underWay <= RESUME_AT && open != null) {
            paused = false;
            heardNanos = System.nanoTime();
            open.resume();
        }
    }
}
