package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * A life of the bus, drawn from a seed: clients that publish, subscribe, grant, leave and come
 * back, in shared and private namespaces, under a clock that the seed moves. Each seed also draws
 * which features take part and how small the queues are, so that rare combinations meet.
 */
final class BusSimulation {
    private static final int CLIENTS = 4;
    private static final String[] SHARED = {"atlas", "other"};
    private static final String[] CHANNELS = {"llm.request", "task.events", "system.dlq", "inbox"};
    private static final long[] USUAL = {0, 2, 5, 8, 10, 100};
    private static final long[] UNUSUAL = {
        -7, 63, 64, 255, 256, 1L << 50, Long.MAX_VALUE, Envelope.DEFAULT_PRIORITY
    };

    private record Known(String namespace, String connection, int id) {}

    private final Random random;
    private final BusSettings settings;
    private final Namespaces bus;
    private final Map<String, BusModel> models = new LinkedHashMap<>();
    private final RecordedEffects effects = new RecordedEffects();
    private final List<Known> subscriptions = new ArrayList<>();
    private final String[] connections = new String[CLIENTS];
    private final Map<String, Long> sequences = new HashMap<>();
    private final ModelWindows windows;
    private final boolean expiring;
    private final boolean unusualPriorities;
    private final boolean clockGoesBack;
    private final int maxBatch;
    private final int maxCredit;
    private int connectionsMade;
    private long told;
    private long now = 1_000_000;
    private int history = 17;

    BusSimulation(long seed) {
        random = new Random(seed);
        DropPolicy policy = random.nextBoolean() ? DropPolicy.DROP_NEW : DropPolicy.DROP_OLD;
        int maxQueueSize = random.nextInt(5) == 0 ? 0 : 1 + random.nextInt(12);
        settings =
                new BusSettings(
                        maxQueueSize, 5, policy, 100, 100, 100, Duration.ofDays(1), Profiles.NONE);
        bus = new Namespaces(settings, new Surroundings(() -> now, () -> now, new Random(seed)));
        expiring = random.nextBoolean();
        unusualPriorities = random.nextBoolean();
        clockGoesBack = random.nextInt(4) == 0;
        maxBatch = 1 + random.nextInt(20);
        maxCredit = 1 + random.nextInt(30);
        // Which namespaces the network's taking wakes, and so brings to its time, is free.
        windows = new ModelWindows(random, !clockGoesBack && random.nextBoolean());
        for (int i = 0; i < CLIENTS; i++) {
            connections[i] = connect();
        }
    }

    void run(int steps) {
        for (String connection : connections) {
            for (int i = 0; i < 3; i++) {
                subscribe(namespace(connection), connection);
            }
        }
        for (int i = 0; i < steps; i++) {
            step();
        }
        drain();
    }

    ChannelStats totals() {
        return bus.totals();
    }

    /** Messages told to have been lost, at once and later. */
    long told() {
        return told;
    }

    /** Sums up all that was delivered, rejected and evicted, in order. */
    int history() {
        return history;
    }

    private void step() {
        now += random.nextInt(20);
        if (clockGoesBack && random.nextInt(20) == 0) {
            now -= 100;
        }
        int client = random.nextInt(CLIENTS);
        String connection = connections[client];
        String namespace = namespace(connection);
        int choice = random.nextInt(100);
        if (choice < 40) {
            apply(namespace, publish(connection));
        } else if (choice < 57) {
            subscribe(namespace, connection);
        } else if (choice < 68) {
            flushed(connection, windows.flushSome(connection));
        } else if (choice < 80) {
            Known known = anySubscription();
            if (known != null) {
                apply(known.namespace, credit(known));
            }
        } else if (choice < 86) {
            Known known = anySubscription();
            if (known != null) {
                unsubscribe(known);
            }
        } else if (choice < 90) {
            apply(namespace, create(connection));
        } else if (choice < 96) {
            everywhere(new BusEvent.Tick(now));
        } else if (choice < 98) {
            trespass(client);
        } else {
            leave(connection);
            connections[client] = connect();
        }
    }

    /** What is under way to a connection is forgotten with its last subscription. */
    private void unsubscribe(Known known) {
        if (subscriptions.stream().filter(s -> s.connection.equals(known.connection)).count()
                == 1) {
            flushAll(known.connection);
        }
        subscriptions.remove(known);
        apply(known.namespace, new BusEvent.Unsubscribe(now, known.connection, known.id));
    }

    private void flushAll(String connection) {
        for (int bytes = windows.flushAll(connection);
                bytes > 0;
                bytes = windows.flushAll(connection)) {
            flushed(connection, bytes);
        }
    }

    /** The network has taken some of what was under way. */
    private void flushed(String connection, int bytes) {
        if (bytes == 0) {
            return;
        }
        everywhere(
                new BusEvent.Credit(
                        now, connection, List.of(new Frame.Grant(Frame.Grant.CONNECTION, bytes))));
    }

    private BusEvent.Publish publish(String connection) {
        List<Envelope> batch = new ArrayList<>();
        int size = 1 + random.nextInt(maxBatch);
        for (int i = 0; i < size; i++) {
            long[] priorities = unusualPriorities && random.nextInt(3) == 0 ? UNUSUAL : USUAL;
            batch.add(
                    Messages.message(
                            CHANNELS[random.nextInt(CHANNELS.length)],
                            connection.hashCode(),
                            priorities[random.nextInt(priorities.length)],
                            sequences.merge(connection, 1L, Long::sum),
                            expiring && random.nextInt(3) == 0 ? 1 + random.nextInt(60) : 0));
        }
        return new BusEvent.Publish(now, connection, batch);
    }

    private void subscribe(String namespace, String connection) {
        int id = random.nextInt(6);
        BusEvent.Subscribe event =
                new BusEvent.Subscribe(
                        now,
                        connection,
                        id,
                        CHANNELS[random.nextInt(CHANNELS.length)],
                        random.nextInt(maxCredit),
                        Terms.PLAIN,
                        windows.size(connection));
        if (subscriptions.stream().anyMatch(s -> s.connection.equals(connection) && s.id == id)) {
            assertRefused(ErrorCode.ALREADY_EXISTS, () -> bus.step(namespace, event, effects));
            return;
        }
        subscriptions.add(new Known(namespace, connection, id));
        apply(namespace, event);
    }

    /** Grants to several subscriptions of one connection and namespace, and to one not there. */
    private BusEvent.Credit credit(Known known) {
        List<Frame.Grant> grants = new ArrayList<>();
        for (Known other : subscriptions) {
            if (other.connection.equals(known.connection)
                    && other.namespace.equals(known.namespace)
                    && (other.equals(known) || random.nextBoolean())) {
                grants.add(new Frame.Grant(other.id, 1 + random.nextInt(maxCredit)));
            }
        }
        grants.add(new Frame.Grant(99, 5));
        return new BusEvent.Credit(now, known.connection, grants);
    }

    private BusEvent.CreateChannel create(String connection) {
        return new BusEvent.CreateChannel(
                now,
                connection,
                new ChannelConfig(
                        CHANNELS[random.nextInt(CHANNELS.length)],
                        random.nextInt(10) - 1,
                        random.nextInt(20),
                        random.nextBoolean() ? DropPolicy.DROP_NEW : DropPolicy.DROP_OLD));
    }

    private void trespass(int client) {
        String owner = connections[(client + 1) % CLIENTS];
        String theirs = "private-" + owner;
        if (models.containsKey(theirs)) {
            String connection = connections[client];
            assertRefused(
                    ErrorCode.ACCESS_DENIED, () -> bus.step(theirs, publish(connection), effects));
        }
    }

    private void leave(String connection) {
        subscriptions.removeIf(known -> known.connection.equals(connection));
        everywhere(new BusEvent.ConnectionClosed(now, connection));
        String owned = "private-" + connection;
        if (models.remove(owned) != null) {
            assertThat(bus.stats(owned, "anyone")).isEmpty();
        }
    }

    /** The end: everybody takes all there is, and nothing may be left. */
    private void drain() {
        for (Known known : List.copyOf(subscriptions)) {
            apply(
                    known.namespace,
                    new BusEvent.Credit(
                            now,
                            known.connection,
                            List.of(new Frame.Grant(known.id, Integer.MAX_VALUE))));
        }
        for (String connection : connections) {
            flushAll(connection);
        }
        everywhere(new BusEvent.Tick(now));
        ChannelStats totals = bus.totals();
        assertThat(totals.queued()).isZero();
        assertThat(totals.copies())
                .isEqualTo(
                        totals.delivered()
                                + totals.dropped()
                                + totals.expired()
                                + totals.abandoned());
    }

    private void apply(String namespace, BusEvent event) {
        effects.clear();
        switch (event) {
            case BusEvent.InNamespace named -> bus.step(namespace, named, effects);
            case BusEvent.Everywhere any -> bus.step(any, effects);
        }
        windows.delivered(effects);
        check(namespace, event, effects);
    }

    private void everywhere(BusEvent.Everywhere event) {
        effects.clear();
        bus.step(event, effects);
        windows.delivered(effects);
        models.forEach(
                (namespace, model) -> {
                    if (!(event instanceof BusEvent.ConnectionClosed closed)
                            || model.hasSubscriptions(closed.connection())
                                    && !namespace.equals("private-" + closed.connection())) {
                        check(namespace, event, effectsIn(namespace));
                    }
                });
    }

    /** Only the network's taking has effects in several namespaces: deliveries. */
    private RecordedEffects effectsIn(String namespace) {
        RecordedEffects some = new RecordedEffects();
        for (Delivered one : effects.delivered) {
            int id = one.delivery().subscription();
            if (subscriptions.contains(new Known(namespace, one.connection(), id))) {
                some.delivered.add(one);
            }
        }
        return some;
    }

    private void check(String namespace, BusEvent event, RecordedEffects effects) {
        effects.delivered.forEach(d -> history = 31 * history + d.shortly().hashCode());
        told += effects.rejected.size() + effects.evicted.size();
        history = 31 * history + effects.rejected.hashCode();
        history = 31 * history + effects.evicted.hashCode();
        String owner = namespace.replace("private-", "");
        models.computeIfAbsent(namespace, name -> new BusModel(settings, windows::isSpent))
                .check(event, effects, new TreeMap<>(bus.stats(namespace, owner)));
    }

    private String namespace(String connection) {
        int choice = random.nextInt(3);
        return choice < SHARED.length ? SHARED[choice] : "private-" + connection;
    }

    private String connect() {
        return "c-" + ++connectionsMade;
    }

    private @Nullable Known anySubscription() {
        return subscriptions.isEmpty()
                ? null
                : subscriptions.get(random.nextInt(subscriptions.size()));
    }

    private static void assertRefused(ErrorCode code, Runnable action) {
        assertThatThrownBy(action::run)
                .isInstanceOf(NeuralCoreException.class)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(code);
    }
}
