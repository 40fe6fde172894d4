package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.Params;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;

/**
 * A life of one namespace with everything that subscriptions and channels can ask for, drawn from a
 * seed, under a clock that the seed moves and over connections that break: then what was not
 * settled comes again, and clients send again what they had sent. Each seed also draws which of the
 * features take part.
 */
final class NamespaceSimulation {
    private static final int CLIENTS = 3;
    private static final String[] CHANNELS = {"llm.request", "llm.stream", "task"};
    private static final String[] SUBJECTS = {
        "llm.request", "llm.stream", "task", NamespaceModel.DEAD, "llm.*", "**"
    };
    private static final long[] PRIORITIES = {0, 2, 5, 8, 10, 100};

    private record Known(String connection, int id, boolean acknowledged) {}

    private record Held(String connection, int subscription, long sequence) {}

    private final Random random;
    private final BusSettings settings;
    private final Namespace bus;
    private final NamespaceModel model;
    private final RecordedEffects effects = new RecordedEffects();
    private final List<Known> subscriptions = new ArrayList<>();
    private final List<Held> toSettle = new ArrayList<>();
    private final String[] connections = new String[CLIENTS];
    private final long[] sequences = new long[CLIENTS];
    private final Map<String, Window> realWindows = new HashMap<>();
    private final ModelWindows windows;
    private final Map<Integer, List<Envelope>> sent = new HashMap<>();
    private final DropPolicy policy;
    private final boolean expiring;
    private final boolean delaying;
    private final boolean keyed;
    private final boolean filtering;
    private final boolean grouping;
    private final boolean patterns;
    private final boolean limiting;
    private int connectionsMade;
    private long now = 1_000_000;
    private int history = 17;

    NamespaceSimulation(long seed) {
        random = new Random(seed);
        policy = DropPolicy.values()[random.nextInt(3)];
        settings =
                new BusSettings(
                        random.nextInt(5) == 0 ? 0 : 1 + random.nextInt(8),
                        5,
                        policy,
                        10,
                        100,
                        1_000,
                        Duration.ofDays(1),
                        Profiles.NONE);
        bus =
                new Namespace(
                        "simulated",
                        settings,
                        new Surroundings(() -> now, () -> now, new Random(seed)),
                        this::window);
        windows = new ModelWindows(random, random.nextBoolean());
        model = new NamespaceModel(settings, windows::isSpent);
        // When a message is found to have expired is free, which would make these two inexact.
        keyed = random.nextInt(3) == 0;
        expiring = !keyed && policy != DropPolicy.BLOCK && random.nextBoolean();
        delaying = random.nextBoolean();
        filtering = random.nextBoolean();
        grouping = random.nextBoolean();
        patterns = random.nextBoolean();
        limiting = random.nextInt(3) == 0;
        for (int i = 0; i < CLIENTS; i++) {
            connections[i] = connect();
            sent.put(i, new ArrayList<>());
        }
    }

    void run(int steps) {
        for (String channel : CHANNELS) {
            apply(new BusEvent.ConfigureChannel(now, "c-1", channel, new Params(config())));
        }
        apply(
                new BusEvent.ConfigureChannel(
                        now,
                        "c-1",
                        NamespaceModel.DEAD,
                        new Params(
                                Map.of(
                                        "max_queue_size",
                                        0L,
                                        "dead_letter_channel",
                                        NamespaceModel.DEAD))));
        for (int i = 0; i < 6; i++) {
            subscribe(connections[i % CLIENTS]);
        }
        for (int i = 0; i < steps; i++) {
            step();
        }
        drain();
    }

    ChannelStats totals() {
        return bus.totals();
    }

    /** Sums up all that was delivered, rejected and evicted, in order. */
    int history() {
        return history;
    }

    /** Times that fall due are of three classes that never meet, so that their order is known. */
    private Map<String, @Nullable Object> config() {
        Map<String, @Nullable Object> config = new LinkedHashMap<>();
        config.put("block_timeout", (4 * random.nextInt(30) + 2) / 1e3);
        if (random.nextBoolean()) {
            config.put("dead_letter_channel", NamespaceModel.DEAD);
        }
        if (keyed) {
            config.put("idempotency_key_field", "id");
            config.put("idempotency_ttl", 0.2);
        }
        if (expiring && random.nextInt(3) == 0) {
            config.put("ttl", 0.1);
        }
        // Among equals the number decides, also where a delayed message has aged less than younger
        // ones.
        if (!delaying && random.nextInt(4) == 0) {
            config.put("ageing", 0.016);
        }
        if (limiting && policy != DropPolicy.BLOCK && random.nextBoolean()) {
            config.put("rate_per_second", 125.0);
            config.put("burst", 5L);
        }
        return config;
    }

    private Terms terms(String name) {
        boolean acknowledged = random.nextInt(3) > 0;
        boolean group = grouping && random.nextBoolean();
        return new Terms(
                group || acknowledged,
                group ? "g" : null,
                name,
                group ? 3 : 1 + random.nextInt(4),
                new Backoff(4 * (1 + random.nextInt(10)), 1_000, 1, 0),
                4 * (10 + random.nextInt(40)),
                filtering && !group && random.nextBoolean() ? Filter.parse("priority <= 5") : null,
                limiting && !group && random.nextInt(3) == 0 ? new Rate(125, 3) : null);
    }

    private void step() {
        int client = random.nextInt(CLIENTS);
        String connection = connections[client];
        int choice = random.nextInt(100);
        if (choice < 30) {
            apply(publish(client, connection));
        } else if (choice < 37) {
            subscribe(connection);
        } else if (choice < 42) {
            flushed(connection, windows.flushSome(connection));
        } else if (choice < 53) {
            credit();
        } else if (choice < 75) {
            settle();
        } else if (choice < 79) {
            unsubscribe();
        } else if (choice < 96) {
            now += 4 * random.nextInt(12);
            apply(new BusEvent.Tick(now));
        } else {
            reconnect(client, connection);
        }
    }

    private Window window(String connection) {
        return realWindows.computeIfAbsent(connection, unused -> new Window());
    }

    /** The network has taken some of what was under way; what waited for room goes on. */
    private void flushed(String connection, int bytes) {
        window(connection).giveBack(bytes);
        apply(new BusEvent.Credit(now, connection, List.of()));
    }

    private void flushAll() {
        for (String connection : connections) {
            for (int bytes = windows.flushAll(connection);
                    bytes > 0;
                    bytes = windows.flushAll(connection)) {
                flushed(connection, bytes);
            }
        }
    }

    private BusEvent.Publish publish(int client, String connection) {
        List<Envelope> batch = new ArrayList<>();
        List<Envelope> before = sent.get(client);
        int size = 1 + random.nextInt(8);
        for (int i = 0; i < size; i++) {
            Envelope message = message(client);
            batch.add(message);
            before.add(message);
        }
        return new BusEvent.Publish(now, connection, batch);
    }

    private Envelope message(int client) {
        String json = keyed ? "{\"id\": %d}".formatted(random.nextInt(12)) : "{}";
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        long delay = delaying && random.nextInt(5) == 0 ? 4L * random.nextInt(30) + 1 : 0;
        return new Envelope(
                CHANNELS[random.nextInt(CHANNELS.length)],
                client + 1,
                ++sequences[client],
                0,
                PRIORITIES[random.nextInt(PRIORITIES.length)],
                expiring && random.nextInt(3) == 0 ? 1 + random.nextInt(60) : 0,
                delay,
                Envelope.JSON,
                Envelope.NONE,
                body,
                body.length);
    }

    private void subscribe(String connection) {
        int id = random.nextInt(5);
        if (subscriptions.stream().anyMatch(s -> s.connection.equals(connection) && s.id == id)) {
            return;
        }
        String subject = SUBJECTS[random.nextInt(patterns ? SUBJECTS.length : 4)];
        Terms terms = terms(connection + "/" + id);
        if (terms.group() != null && policy == DropPolicy.BLOCK && Pattern.isPattern(subject)) {
            // Its lanes share its members' credit, and who of them got what first is not told.
            subject = "task";
        }
        if (terms.group() != null) {
            // A group has the settings of its last member; here all its members have the same.
            terms =
                    new Terms(
                            true,
                            "g",
                            "group of " + subject,
                            3,
                            new Backoff(8, 8, 1, 0),
                            80,
                            null,
                            null);
        }
        subscriptions.add(new Known(connection, id, terms.acknowledged()));
        apply(
                new BusEvent.Subscribe(
                        now,
                        connection,
                        id,
                        subject,
                        random.nextInt(12),
                        terms,
                        windows.size(connection)));
    }

    private void credit() {
        if (subscriptions.isEmpty()) {
            return;
        }
        Known known = subscriptions.get(random.nextInt(subscriptions.size()));
        List<Frame.Grant> grants = new ArrayList<>();
        grants.add(new Frame.Grant(known.id, 1 + random.nextInt(8)));
        grants.add(new Frame.Grant(99, 5));
        apply(new BusEvent.Credit(now, known.connection, grants));
    }

    /** Some of what one connection holds, and now and then what it does not. */
    private void settle() {
        if (toSettle.isEmpty()) {
            return;
        }
        String connection = toSettle.get(random.nextInt(toSettle.size())).connection;
        List<Settlement> settlements = new ArrayList<>();
        for (Held held : List.copyOf(toSettle)) {
            if (held.connection.equals(connection) && random.nextInt(3) > 0) {
                Settlement.Kind kind = kind();
                if (kind != Settlement.Kind.EXTEND && random.nextInt(20) > 0) {
                    toSettle.remove(held);
                }
                settlements.add(
                        new Settlement(held.subscription, kind, held.sequence, delay(kind), ""));
            }
        }
        if (random.nextInt(5) == 0) {
            settlements.add(Settlement.ack(random.nextInt(6), random.nextInt(100)));
        }
        apply(new BusEvent.Settle(now, connection, settlements));
    }

    private Settlement.Kind kind() {
        int choice = random.nextInt(20);
        return choice < 11
                ? Settlement.Kind.ACK
                : choice < 17
                        ? Settlement.Kind.NACK
                        : choice < 18 ? Settlement.Kind.TERM : Settlement.Kind.EXTEND;
    }

    private long delay(Settlement.Kind kind) {
        return switch (kind) {
            case NACK -> random.nextBoolean() ? Settlement.BY_BACKOFF : 4 * random.nextInt(10);
            case EXTEND -> 4 * (1 + random.nextInt(50));
            case ACK, TERM -> 0;
        };
    }

    private void unsubscribe() {
        if (!subscriptions.isEmpty()) {
            Known known = subscriptions.remove(random.nextInt(subscriptions.size()));
            toSettle.removeIf(
                    held ->
                            held.connection.equals(known.connection)
                                    && held.subscription == known.id);
            apply(new BusEvent.Unsubscribe(now, known.connection, known.id));
        }
    }

    /** A lost connection: the client does not know what arrived, and sends its last again. */
    private void reconnect(int client, String connection) {
        subscriptions.removeIf(known -> known.connection.equals(connection));
        toSettle.removeIf(held -> held.connection.equals(connection));
        apply(new BusEvent.ConnectionClosed(now, connection));
        connections[client] = connect();
        List<Envelope> before = sent.get(client);
        List<Envelope> again =
                before.subList(Math.max(0, before.size() - random.nextInt(20)), before.size());
        apply(new BusEvent.Publish(now, connections[client], List.copyOf(again)));
    }

    /** The end: everybody takes and acknowledges all there is, and nothing may be left. */
    private void drain() {
        for (Known known : List.copyOf(subscriptions)) {
            apply(
                    new BusEvent.Credit(
                            now, known.connection, List.of(new Frame.Grant(known.id, 1_000_000))));
        }
        for (int i = 0;
                i < 1_000
                        && (bus.nextDue() != Long.MAX_VALUE
                                || !toSettle.isEmpty()
                                || isSomethingUnderWay());
                i++) {
            flushAll();
            acknowledgeAll();
            now += 8;
            apply(new BusEvent.Tick(now));
        }
        flushAll();
        acknowledgeAll();
        ChannelStats totals = bus.totals();
        assertThat(totals.queued()).as("I8").isZero();
        assertThat(totals.inFlight()).as("I8").isZero();
        assertThat(totals.delayed()).isZero();
        assertThat(model.holdsBackSomebody()).as("somebody was never told of room").isFalse();
    }

    private boolean isSomethingUnderWay() {
        return Stream.of(connections).anyMatch(windows::isUsed);
    }

    private void acknowledgeAll() {
        Map<String, List<Settlement>> byConnection = new LinkedHashMap<>();
        for (Held held : toSettle) {
            byConnection
                    .computeIfAbsent(held.connection, unused -> new ArrayList<>())
                    .add(Settlement.ack(held.subscription, held.sequence));
        }
        toSettle.clear();
        byConnection.forEach(
                (connection, settlements) ->
                        apply(new BusEvent.Settle(now, connection, settlements)));
    }

    private void apply(BusEvent event) {
        effects.clear();
        bus.step(event, effects);
        windows.delivered(effects);
        for (Delivered delivered : effects.delivered) {
            history = 31 * history + delivered.shortly().hashCode();
            boolean acknowledged =
                    subscriptions.stream()
                            .anyMatch(
                                    s ->
                                            s.connection.equals(delivered.connection())
                                                    && s.id == delivered.delivery().subscription()
                                                    && s.acknowledged);
            if (acknowledged) {
                toSettle.add(
                        new Held(
                                delivered.connection(),
                                delivered.delivery().subscription(),
                                delivered.delivery().sequence()));
            }
        }
        history = 31 * history + effects.rejected.hashCode();
        history = 31 * history + effects.evicted.hashCode();
        model.check(event, effects, bus.stats());
    }

    private String connect() {
        return "c-" + ++connectionsMade;
    }
}
