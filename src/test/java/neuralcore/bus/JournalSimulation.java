package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import neuralcore.journal.AckSet;
import neuralcore.journal.DurableName;
import neuralcore.journal.StartAt;
import neuralcore.journal.StoredMessage;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Params;
import neuralcore.wire.Settlement;

/**
 * A life of a namespace with persistent channels, drawn from a seed: publishers that want to know
 * when their messages are safe and send again what they do not know of, durable groups that
 * acknowledge, fail and give up, readers that replay, a disk that is slow, full or fails, and
 * crashes at any point, after which only what the disk had is there.
 *
 * <p>The invariants have their names in the messages: I1 what was confirmed is in the log; I2 what
 * is in the log or delivered was published and not rejected; I3 a place is given once; I4 numbers
 * have no holes; I5, I6 order; I8 all is delivered and dealt with; I9 what was acknowledged for
 * certain does not come again; I10 floors; I11 priority; I13 attempts and dead letters; I16 nothing
 * is confirmed after a failure.
 */
final class JournalSimulation {
    private static final String SPACE = "atlas";
    private static final String[] CHANNELS = {"jobs", "events", "volatile"};
    private static final String DEAD = "jobs.dead";
    private static final int MAX_ATTEMPTS = 3;
    private static final DurableName[] GROUPS = {
        new DurableName("jobs", "a"), new DurableName("jobs", "b"), new DurableName("events", "a")
    };

    /** A message as its publisher knows it. */
    private static final class Sent {
        final Envelope envelope;
        final long invoked;
        long confirmed = Long.MAX_VALUE;
        boolean rejected;

        /** Its publisher has given up on it without knowing what became of it. */
        boolean abandoned;

        Sent(Envelope envelope, long invoked) {
            this.envelope = envelope;
            this.invoked = invoked;
        }
    }

    private record Id(long publisher, long number) {}

    private record Number(DurableName group, long number) {}

    private record Lease(
            String connection, int subscription, DurableName group, Delivery delivery) {}

    /** An answer that waits for places in the journal. */
    private record Waiting(Set<Long> places, Runnable answer) {}

    private final Random random;
    private final SimulatedStore store;
    private final Deque<Runnable> reads = new ArrayDeque<>();
    private final Set<String> woken = new HashSet<>();
    private final Map<Id, Sent> sent = new LinkedHashMap<>();
    private final Map<Long, Long> nextNumber = new HashMap<>();
    private final List<Waiting> waiting = new ArrayList<>();
    private final Set<Number> acknowledged = new HashSet<>();
    private final Set<Number> failedOnce = new HashSet<>();
    private final Map<Number, Integer> maxAttempt = new HashMap<>();
    private final Map<DurableName, Set<Long>> deliveredTo = new HashMap<>();
    private final List<Runnable> checks = new ArrayList<>();
    private final List<Lease> leases = new ArrayList<>();
    private final Map<String, DurableName> members = new LinkedHashMap<>();
    private final Map<String, Long> replays = new HashMap<>();
    private final Map<DurableName, Long> floors = new HashMap<>();
    private final boolean keyed;
    private Namespaces bus;
    private final List<Long> stored = new ArrayList<>();
    private final List<Frame.Rejection> rejected = new ArrayList<>();
    private int settled;
    private int life;
    private int connections;
    private long clock;
    private long now = 1_000_000;
    private boolean failed;
    long crashes;
    long deliveries;
    long confirmations;
    long letters;

    JournalSimulation(long seed) {
        random = new Random(seed);
        store = new SimulatedStore(random);
        keyed = random.nextBoolean();
        begin();
    }

    private void begin() {
        life++;
        failed = false;
        BusSettings settings = BusSettings.of(random.nextInt(3) == 0 ? 20 : 0, 5);
        Surroundings.Storage storage = new Surroundings.Storage(store, reads::add, woken::add);
        bus =
                new Namespaces(
                        settings,
                        new Surroundings(
                                () -> now, () -> 1_700_000_000_000L + now, random, storage));
        bus.recover();
        checkRecovered();
        for (String channel : List.of("jobs", "events", DEAD)) {
            Map<String, Object> changes = new HashMap<>(Map.of("persistent", true));
            if (channel.equals("jobs")) {
                changes.put("max_attempts", (long) MAX_ATTEMPTS);
                changes.put("dead_letter_channel", DEAD);
                if (keyed) {
                    changes.put("idempotency_key_field", "k");
                    changes.put("idempotency_ttl", 1e6);
                }
            }
            step(new BusEvent.ConfigureChannel(now, "admin", channel, new Params(changes)));
        }
        store.full = false;
    }

    void run(int steps) {
        for (int i = 0; i < steps; i++) {
            now += random.nextInt(30);
            act();
        }
        drain();
        checkEnd();
    }

    private void act() {
        switch (random.nextInt(24)) {
            case 0, 1, 2, 3, 4, 5 -> publish();
            case 6 -> publishAgain();
            case 7, 8, 9 -> journal().work();
            case 10, 11, 12 -> speak();
            case 13, 14 -> read();
            case 15 -> join();
            case 16 -> grant();
            case 17, 18, 19, 20 -> settle();
            case 21 -> leave();
            case 22 -> everywhere(new BusEvent.Tick(now));
            default -> trouble();
        }
    }

    private SimulatedStore.SimulatedJournal journal() {
        return store.journal(SPACE);
    }

    private void trouble() {
        switch (random.nextInt(4)) {
            case 0 -> crash();
            case 1 -> {
                store.full = !store.full;
                if (random.nextBoolean()) {
                    journal().sayFull(store.full);
                }
            }
            case 2 -> {
                if (random.nextInt(3) == 0) {
                    journal().fail();
                    failed = true;
                    everywhere(new BusEvent.JournalSpoke(now, SPACE));
                }
            }
            default -> replay();
        }
    }

    private void crash() {
        crashes++;
        store.crash();
        reads.clear();
        woken.clear();
        waiting.clear();
        leases.clear();
        members.clear();
        replays.clear();
        begin();
        for (long publisher = 1; publisher <= 3; publisher++) {
            List<Envelope> unknown = unknown(publisher);
            if (random.nextBoolean() && !unknown.isEmpty()) {
                publish(unknown);
            } else {
                unknown.forEach(one -> of(one).abandoned = true);
            }
        }
    }

    private Sent of(Envelope envelope) {
        return sent.get(new Id(envelope.publisher(), envelope.sequence()));
    }

    private List<Envelope> unknown(long publisher) {
        List<Envelope> unknown = new ArrayList<>();
        for (Sent one : sent.values()) {
            if (one.envelope.publisher() == publisher
                    && one.confirmed == Long.MAX_VALUE
                    && !one.rejected
                    && !one.abandoned
                    && !one.envelope.channel().equals("volatile")) {
                unknown.add(one.envelope);
            }
        }
        return unknown;
    }

    // Steps

    private void step(BusEvent.InNamespace event) {
        stored.clear();
        rejected.clear();
        bus.step(SPACE, event, effects);
        endStep();
    }

    /** One connection's deliveries of a step come before another's, whatever their priorities. */
    private void endStep() {
        checks.forEach(Runnable::run);
        checks.clear();
    }

    private void everywhere(BusEvent.Everywhere event) {
        stored.clear();
        settled = 0;
        bus.step(event, effects);
        endStep();
    }

    private void answer(Runnable answer) {
        if (stored.isEmpty()) {
            answer.run();
        } else {
            waiting.add(new Waiting(new HashSet<>(stored), answer));
        }
    }

    private void speak() {
        journal().tell();
        if (woken.remove(SPACE)) {
            everywhere(new BusEvent.JournalSpoke(now, SPACE));
        }
    }

    private void read() {
        while (!reads.isEmpty()) {
            reads.remove().run();
        }
        if (woken.remove(SPACE)) {
            everywhere(new BusEvent.JournalSpoke(now, SPACE));
        }
    }

    private void publish() {
        long publisher = 1 + random.nextInt(3);
        List<Envelope> batch = new ArrayList<>();
        for (int i = random.nextInt(5); i >= 0; i--) {
            long number = nextNumber.merge(publisher, 1L, Long::sum);
            String key = "k" + random.nextInt(40);
            Envelope envelope =
                    envelope(
                            CHANNELS[random.nextInt(CHANNELS.length)],
                            publisher,
                            number,
                            random.nextInt(4),
                            "{\"k\":\"" + key + "\"}");
            batch.add(envelope);
            sent.put(new Id(publisher, number), new Sent(envelope, ++clock));
        }
        publish(batch);
    }

    private void publish(List<Envelope> batch) {
        step(new BusEvent.Publish(now, "p-" + batch.getFirst().publisher(), batch));
        Set<Long> refused = new HashSet<>();
        for (Frame.Rejection rejection : rejected) {
            if (rejection.code() != ErrorCode.DUPLICATE) {
                refused.add(rejection.sequence());
            }
        }
        Set<Long> duplicates = new HashSet<>();
        rejected.stream()
                .filter(r -> r.code() == ErrorCode.DUPLICATE)
                .forEach(r -> duplicates.add(r.sequence()));
        for (Envelope envelope : batch) {
            Sent one = of(envelope);
            if (refused.contains(envelope.sequence())) {
                one.rejected = true;
            } else if (duplicates.contains(envelope.sequence())) {
                one.abandoned = true; // It, or one with its key, is there already.
            } else if (!envelope.channel().equals("volatile")) {
                answer(() -> confirm(one));
            }
        }
    }

    private void confirm(Sent one) {
        if (!one.rejected && one.confirmed == Long.MAX_VALUE) {
            one.confirmed = ++clock;
            confirmations++;
        }
    }

    /** What a publisher does not know of yet, it may send again: the bus has it already. */
    private void publishAgain() {
        List<Envelope> unknown = unknown(1 + random.nextInt(3));
        if (!unknown.isEmpty() && !failed) {
            publish(unknown);
            assertThat(rejected).hasSameSizeAs(unknown);
        }
    }

    private void join() {
        DurableName group = GROUPS[random.nextInt(GROUPS.length)];
        String connection = "c-" + ++connections;
        members.put(connection, group);
        step(
                new BusEvent.Subscribe(
                        now, connection, 1, group.channel(), random.nextInt(8), terms(group)));
    }

    private static Terms terms(DurableName group) {
        return new Terms(
                true,
                group.group(),
                "",
                0,
                new Backoff(5, 20, 2, 0),
                300,
                null,
                null,
                true,
                new StartAt.First());
    }

    private void replay() {
        String connection = "r-" + ++connections;
        Terms terms =
                new Terms(
                        false,
                        null,
                        "",
                        0,
                        Backoff.STANDARD,
                        1000,
                        null,
                        null,
                        false,
                        new StartAt.First());
        replays.put(connection, 0L);
        step(new BusEvent.Subscribe(now, connection, 1, "events", 1_000_000, terms));
    }

    private void grant() {
        for (String member : members.keySet()) {
            if (random.nextBoolean()) {
                Frame.Grant grant = new Frame.Grant(1, 1 + random.nextInt(6));
                everywhere(new BusEvent.Credit(now, member, List.of(grant)));
            }
        }
    }

    private void leave() {
        if (members.isEmpty()) {
            return;
        }
        String member = List.copyOf(members.keySet()).get(random.nextInt(members.size()));
        DurableName group = members.remove(member);
        for (Lease lease : List.copyOf(leases)) {
            if (lease.connection.equals(member)) {
                leases.remove(lease);
                failedOnce.add(new Number(group, lease.delivery.channelSequence()));
            }
        }
        everywhere(new BusEvent.ConnectionClosed(now, member));
    }

    private void settle() {
        if (leases.isEmpty()) {
            return;
        }
        List<Lease> some = new ArrayList<>();
        String connection = leases.get(random.nextInt(leases.size())).connection;
        for (Lease lease : leases) {
            if (lease.connection.equals(connection) && random.nextInt(3) > 0) {
                some.add(lease);
            }
        }
        int choice = random.nextInt(10);
        settle(
                some,
                choice < 7
                        ? Settlement.Kind.ACK
                        : choice < 9 ? Settlement.Kind.NACK : Settlement.Kind.TERM);
    }

    private void settle(List<Lease> some, Settlement.Kind kind) {
        if (some.isEmpty()) {
            return;
        }
        leases.removeAll(some);
        List<Settlement> settlements = new ArrayList<>();
        for (Lease lease : some) {
            settlements.add(
                    new Settlement(
                            lease.subscription,
                            kind,
                            lease.delivery.sequence(),
                            Settlement.BY_BACKOFF,
                            "{\"error\":\"x\"}"));
            if (kind != Settlement.Kind.ACK) {
                failedOnce.add(new Number(lease.group, lease.delivery.channelSequence()));
            }
        }
        everywhere(new BusEvent.Settle(now, some.getFirst().connection, settlements));
        if (kind == Settlement.Kind.ACK && settled == settlements.size()) {
            answer(
                    () ->
                            some.forEach(
                                    lease ->
                                            acknowledged.add(
                                                    new Number(
                                                            lease.group,
                                                            lease.delivery.channelSequence()))));
        }
    }

    private static Envelope envelope(
            String channel, long publisher, long number, long priority, String payload) {
        byte[] body = payload.getBytes(java.nio.charset.StandardCharsets.UTF_8);
        return new Envelope(
                channel,
                publisher,
                number,
                number,
                priority,
                0,
                0,
                Envelope.JSON,
                Envelope.NONE,
                body,
                body.length);
    }

    // What the bus does

    private final Effects effects =
            new Effects() {
                @Override
                public void deliver(String connection, Delivery delivery) {
                    deliveries++;
                    delivered(connection, delivery);
                }

                @Override
                public void rejected(long sequence, ErrorCode code) {
                    rejected.add(new Frame.Rejection(sequence, code));
                }

                @Override
                public void evicted(String connection, long sequence) {}

                @Override
                public void room(String c, String namespace, String channel, int messages) {}

                @Override
                public void settled(int some, int unknown) {
                    settled += some;
                }

                @Override
                public void published(int accepted) {}

                @Override
                public void created(boolean created) {}

                @Override
                public void stored(String namespace, long position) {
                    stored.add(position);
                }

                @Override
                public void kept(String namespace, long position) {
                    assertThat(failed).as("I16: kept after a failure").isFalse();
                    for (Waiting one : List.copyOf(waiting)) {
                        one.places.removeIf(place -> place <= position);
                        if (one.places.isEmpty()) {
                            waiting.remove(one);
                            one.answer.run();
                        }
                    }
                }

                @Override
                public void notKept(String namespace, long position, ErrorCode code) {
                    waiting.removeIf(one -> one.places.contains(position));
                }

                @Override
                public void refused(String connection, long sequence, ErrorCode code) {
                    long publisher = Long.parseLong(connection.substring(2));
                    if (code == ErrorCode.STORAGE_FULL) {
                        sent.get(new Id(publisher, sequence)).rejected = true;
                    }
                }

                @Override
                public void failed(String namespace, ErrorCode code, String message) {}
            };

    private void delivered(String connection, Delivery delivery) {
        Envelope envelope = delivery.envelope();
        if (envelope.channel().equals("volatile")) {
            return;
        }
        long number = delivery.channelSequence();
        List<StoredMessage> log = journal().contents.messages.get(envelope.channel());
        assertThat(number).as("I2: delivered, but not kept").isLessThanOrEqualTo(log.size());
        StoredMessage kept = log.get((int) number - 1);
        assertThat(kept.sequence()).as("I3").isEqualTo(delivery.sequence());
        assertThat(kept.envelope().id()).as("I3").isEqualTo(envelope.id());
        DurableName group = members.get(connection);
        if (group == null) {
            replayed(connection, delivery, number);
            return;
        }
        Number one = new Number(group, number);
        assertThat(acknowledged).as("I9: again after its acknowledgement").doesNotContain(one);
        assertThat(delivery.attempt()).as("I13").isLessThanOrEqualTo(MAX_ATTEMPTS * 10);
        maxAttempt.merge(one, delivery.attempt(), Math::max);
        checks.add(() -> checkMostUrgent(group, kept));
        leases.removeIf(
                lease -> lease.group.equals(group) && lease.delivery.channelSequence() == number);
        leases.add(new Lease(connection, delivery.subscription(), group, delivery));
        deliveredTo.computeIfAbsent(group, name -> new HashSet<>()).add(number);
    }

    private void replayed(String connection, Delivery delivery, long number) {
        Long last = replays.get(connection);
        if (last != null && delivery.replayed()) {
            assertThat(number).as("replay has a gap or an overlap").isEqualTo(last + 1);
            replays.put(connection, number);
        }
    }

    /** I11: nothing more urgent was there for this group, but what has failed and waits. */
    private void checkMostUrgent(DurableName group, StoredMessage message) {
        AckSet settledThere = journal().contents.acks.get(group);
        for (StoredMessage other : journal().contents.messages.get(group.channel())) {
            if (other.number() >= message.number()) {
                break; // Younger ones may not have been told of yet.
            }
            Number one = new Number(group, other.number());
            boolean waits =
                    other.envelope().priority() < message.envelope().priority()
                            && settledThere != null
                            && !settledThere.contains(other.number())
                            && !deliveredTo.getOrDefault(group, Set.of()).contains(other.number())
                            && !failedOnce.contains(one);
            assertThat(waits)
                    .as("I11: %d before the more urgent %d", message.number(), other.number())
                    .isFalse();
        }
    }

    // The end

    private void drain() {
        store.full = false;
        if (failed) {
            crash();
        }
        journal().sayFull(false);
        for (DurableName group : GROUPS) {
            String connection = "end-" + group.channel() + group.group();
            members.put(connection, group);
            step(
                    new BusEvent.Subscribe(
                            now, connection, 1, group.channel(), 1_000_000, terms(group)));
        }
        for (int i = 0; i < 400; i++) {
            now += 50;
            journal().work();
            speak();
            read();
            everywhere(new BusEvent.Tick(now));
            for (String member : List.copyOf(members.keySet())) {
                settle(
                        leases.stream().filter(lease -> lease.connection.equals(member)).toList(),
                        Settlement.Kind.ACK);
            }
        }
        assertThat(waiting).as("liveness: answers that never came").isEmpty();
    }

    private void checkEnd() {
        SimulatedStore.Contents log = journal().contents;
        Map<Id, Long> places = new HashMap<>();
        Map<Id, Long> sequences = new HashMap<>();
        for (String channel : List.of("jobs", "events")) {
            Map<Long, Long> lastOf = new HashMap<>();
            for (StoredMessage message : log.messages.get(channel)) {
                Id id = new Id(message.envelope().publisher(), message.envelope().sequence());
                Sent one = sent.get(id);
                assertThat(one).as("I2: nobody sent %s", id).isNotNull();
                assertThat(one.rejected).as("I2: %s was rejected", id).isFalse();
                assertThat(places.put(id, message.number())).as("I3: %s twice", id).isNull();
                sequences.put(id, message.sequence());
                Long before = lastOf.put(id.publisher, id.number);
                assertThat(before == null || before < id.number)
                        .as("I5: %s after %s", id, before)
                        .isTrue();
            }
        }
        sent.forEach(
                (id, one) -> {
                    if (one.confirmed != Long.MAX_VALUE) {
                        assertThat(places).as("I1: %s is lost", id).containsKey(id);
                    }
                });
        checkRealTime(sequences);
        for (DurableName group : GROUPS) {
            checkGroup(log, group);
        }
        Set<String> dead = new HashSet<>();
        for (StoredMessage letter : log.messages.getOrDefault(DEAD, List.of())) {
            letters++;
            assertThat(letter.envelope().publisher()).isEqualTo(Letters.BUS);
            dead.add(letter.envelope().id());
        }
        assertThat(dead).as("I13").hasSize(log.messages.getOrDefault(DEAD, List.of()).size());
        log.settledTwice.forEach(
                (group, numbers) -> assertThat(numbers).as("settled twice by %s", group).isEmpty());
    }

    /** I6: what was confirmed before another was sent has the lesser number. */
    private void checkRealTime(Map<Id, Long> sequences) {
        List<Id> known = new ArrayList<>(sequences.keySet());
        known.sort((a, b) -> Long.compare(sequences.get(a), sequences.get(b)));
        long earliestConfirmed = Long.MAX_VALUE;
        for (Id id : known.reversed()) {
            Sent one = sent.get(id);
            assertThat(earliestConfirmed)
                    .as("I6: %s was sent after a later one was confirmed", id)
                    .isGreaterThan(one.invoked);
            earliestConfirmed = Math.min(earliestConfirmed, one.confirmed);
        }
    }

    private void checkGroup(SimulatedStore.Contents log, DurableName group) {
        AckSet acks = log.acks.get(group);
        assertThat(acks).isNotNull();
        long last = log.messages.get(group.channel()).size();
        assertThat(acks.floor()).as("I8, I10: %s of %d", group, last).isEqualTo(last);
        assertThat(acks.beyond()).as("I10").isZero();
        for (StoredMessage message : log.messages.get(group.channel())) {
            assertThat(deliveredTo.getOrDefault(group, Set.of()))
                    .as("I8: never delivered to %s", group)
                    .contains(message.number());
        }
    }

    /** I4, I10, I14: what the bus goes on with is what the disk had. */
    private void checkRecovered() {
        SimulatedStore.SimulatedJournal journal = journal();
        if (journal == null) {
            return;
        }
        journal.contents.acks.forEach(
                (group, acks) -> {
                    long before = floors.merge(group, acks.floor(), Math::max);
                    assertThat(acks.floor()).as("I10: a floor has sunk").isEqualTo(before);
                    Set<Long> settledNumbers = new TreeSet<>();
                    acks.forEachBeyond(settledNumbers::add);
                    for (Number one : acknowledged) {
                        if (one.group.equals(group)) {
                            assertThat(acks.contains(one.number))
                                    .as("I9: the acknowledgement of %s is lost", one)
                                    .isTrue();
                        }
                    }
                });
    }
}
