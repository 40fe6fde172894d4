package verticles.relay;

import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import neuralcore.relay.KafkaProperties;
import neuralcore.relay.Route;
import neuralcore.relay.RouteParams;
import neuralcore.relay.Target;
import org.jspecify.annotations.Nullable;

/**
 * The routes of a relay to Kafka, each with the client by which it writes or reads while the relay
 * runs. Belongs to the relay's event loop.
 */
final class KafkaRoutes {
    private final RelayContext relay;
    private final KafkaProperties properties;
    private final Function<String, Future<String>> identity;
    private final Consumer<String> renew;
    private final List<Way> outs = new ArrayList<>();
    private final List<Reading> ins = new ArrayList<>();
    private int subscriptions;

    /** An outgoing route, and by what it writes while the relay runs. */
    private static final class Way {
        final RelayOut out;
        final String topic;
        @Nullable KafkaSender sender;

        Way(RelayOut out, String topic) {
            this.out = out;
            this.topic = topic;
        }
    }

    /** An incoming route, and its membership in its group while the relay runs. */
    private static final class Reading {
        final Route.In route;
        final Target.TopicGroup topic;
        @Nullable KafkaIn in;

        Reading(Route.In route, Target.TopicGroup topic) {
            this.route = route;
            this.topic = topic;
        }

        int size() {
            return in == null ? 0 : in.size();
        }
    }

    /**
     * @param identity tells by what a topic is known from another of its name
     * @param renew has all clients made anew; told why
     */
    KafkaRoutes(
            RelayContext relay,
            KafkaProperties properties,
            Function<String, Future<String>> identity,
            Consumer<String> renew) {
        this.relay = relay;
        this.properties = properties;
        this.identity = identity;
        this.renew = renew;
    }

    /** One route more; {@link #open} has it work. */
    Future<Void> add(Route route, boolean enabled) {
        return switch (route) {
            case Route.Out out -> {
                Way opened =
                        new Way(new RelayOut(relay, out, ++subscriptions), out.target().name());
                outs.add(opened);
                yield enabled || Boolean.TRUE.equals(out.durable())
                        ? opened.out.subscribe()
                        : Future.succeededFuture();
            }
            case Route.In in -> {
                if (in.target() instanceof Target.TopicGroup topic) {
                    ins.add(new Reading(in, topic));
                }
                yield Future.succeededFuture();
            }
        };
    }

    /** Has those work that do not yet. */
    void open() {
        outs.forEach(this::open);
        ins.forEach(this::open);
    }

    private void open(Way way) {
        if (way.sender == null) {
            KafkaSender sender =
                    new KafkaSender(
                            relay,
                            properties,
                            "relay-%s-%d".formatted(relay.config().name(), outs.indexOf(way)),
                            way.out.isDurable());
            way.sender = sender;
            if (!way.topic.contains(Target.CHANNEL_MARK)) {
                sender.prepare(way.topic);
            }
            way.out.connected(sender);
        }
    }

    private void open(Reading reading) {
        if (reading.in == null) {
            KafkaIn in =
                    new KafkaIn(
                            relay,
                            reading.route,
                            reading.topic,
                            properties,
                            () -> identity.apply(reading.topic.name()),
                            renew);
            reading.in = in;
            in.start();
        }
    }

    /** Ends all clients; done when the groups have been left. */
    Future<Void> close() {
        for (Way way : outs) {
            way.out.disconnected();
            if (way.sender != null) {
                way.sender.close();
                way.sender = null;
            }
        }
        List<Future<Void>> left = new ArrayList<>();
        for (Reading reading : ins) {
            if (reading.in != null) {
                left.add(reading.in.close());
                reading.in = null;
            }
        }
        return Future.join(left).<Void>mapEmpty().otherwiseEmpty();
    }

    /** Has the outgoing ones take messages from the bus. */
    Future<Void> subscribe() {
        Future<Void> ready = Future.succeededFuture();
        for (Way way : outs) {
            ready = ready.compose(done -> way.out.subscribe());
        }
        return ready;
    }

    /**
     * @param forget whether their places in the journal are given up
     */
    Future<Void> unsubscribe(boolean forget) {
        Future<Void> done = Future.succeededFuture();
        for (Way way : outs) {
            done = done.compose(before -> way.out.unsubscribe(forget));
        }
        return done;
    }

    /** Takes nothing in until {@link #resume}. */
    void stop() {
        for (Reading reading : ins) {
            if (reading.in != null) {
                reading.in.stop();
            }
        }
    }

    void resume() {
        for (Reading reading : ins) {
            if (reading.in != null) {
                reading.in.resume();
            }
        }
    }

    /** Whether a consumer has not come back from reading. */
    boolean isOverdue() {
        return ins.stream()
                .anyMatch(reading -> reading.in != null && reading.in.overdueNanos() > 0);
    }

    /** Messages that are here, of both directions. */
    int backlog() {
        return outs.stream().mapToInt(way -> way.out.size()).sum()
                + ins.stream().mapToInt(Reading::size).sum();
    }

    List<@Nullable Object> describe() {
        List<@Nullable Object> routes = new ArrayList<>();
        outs.forEach(way -> routes.add(way.out.describe()));
        for (Reading reading : ins) {
            Map<String, @Nullable Object> route = RouteParams.toMap(reading.route);
            route.put("backlog", reading.size());
            route.put("lag", reading.in == null ? -1L : reading.in.lag());
            routes.add(route);
        }
        return routes;
    }
}
