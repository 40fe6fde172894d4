package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import neuralcore.bus.ModelReceiver.Lease;
import neuralcore.bus.ModelReceiver.Member;
import neuralcore.bus.ModelReceiver.Message;
import neuralcore.bus.ModelReceiver.ModelChannel;
import neuralcore.bus.ModelReceiver.Parked;
import neuralcore.bus.ModelReceiver.Retry;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.bus.RecordedEffects.Evicted;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Payloads;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;

/**
 * What a namespace must do with everything that subscriptions and channels can ask for, in the
 * plainest way: lists, searched from end to end. {@link NamespaceSimulation} compares the real one
 * to it after each step.
 *
 * <p>The invariants, by their names in the comments: I2 nothing is delivered that was not queued;
 * I3 a number means one message for ever; I8 what was routed to a subscription ends acknowledged, a
 * dead letter, dropped or expired; I9 what was acknowledged does not come again; I11 each delivery
 * is its receiver's most urgent and then oldest, and a connection's deliveries of a step are in
 * that order; I12 the counts add up; I13 attempts are counted and bounded, and who runs out of them
 * makes one dead letter, never one of a dead letter. (I10 is about a durable subscription's floor.)
 */
final class NamespaceModel {
    static final String DEAD = "system.dlq";

    private final BusSettings settings;
    private final Predicate<String> hasNoRoom;
    private final Map<String, ModelChannel> channels = new TreeMap<>();
    private final List<ModelReceiver> receivers = new ArrayList<>();
    private final Set<List<Long>> taken = new HashSet<>();
    private final Map<Long, List<Object>> numbers = new HashMap<>();
    private final Map<String, Set<String>> held = new HashMap<>();
    private final Map<List<Object>, Integer> lettersDue = new HashMap<>();
    private final List<DelayedMessage> delayed = new ArrayList<>();
    private final List<Long> rejected = new ArrayList<>();
    private final List<Evicted> evicted = new ArrayList<>();
    private long orders;
    private long letterOrder;
    private long ordinals;
    private long now;

    private record DelayedMessage(Message message, long due) {}

    /**
     * @param hasNoRoom whether a connection's window is spent at the end of a step
     */
    NamespaceModel(BusSettings settings, Predicate<String> hasNoRoom) {
        this.settings = settings;
        this.hasNoRoom = hasNoRoom;
    }

    /** Follows a step and compares what the real namespace did. */
    void check(BusEvent event, RecordedEffects effects, Map<String, ChannelStats> stats) {
        now = Math.max(now, event.nowMillis());
        rejected.clear();
        evicted.clear();
        letterOrder = ++orders;
        switch (event) {
            case BusEvent.Publish publish -> publish(publish, effects);
            case BusEvent.Subscribe subscribe -> subscribe(subscribe);
            case BusEvent.Unsubscribe u -> leave(u.connection(), u.subscription());
            case BusEvent.ConnectionClosed closed ->
                    receivers.stream()
                            .flatMap(receiver -> receiver.members.stream())
                            .filter(member -> member.connection.equals(closed.connection()))
                            .sorted(Comparator.comparingLong(member -> member.ordinal))
                            .toList()
                            .forEach(member -> leave(member.connection, member.id));
            case BusEvent.ConfigureChannel configure -> {
                ModelChannel channel = channel(configure.channel());
                channel.config = channel.config.with(configure.changes());
                channel.tokens = channel.config.rate() == null ? 0 : channel.config.rate().burst();
            }
            case BusEvent.Credit credit -> {
                for (Frame.Grant grant : credit.grants()) {
                    member(
                            credit.connection(),
                            grant.subscription(),
                            (receiver, member) -> {
                                member.credit += grant.messages();
                            });
                }
            }
            case BusEvent.Settle settle -> settle(settle, effects);
            case BusEvent.Tick _ -> tick();
            case BusEvent.CreateChannel _,
                    BusEvent.Purge _,
                    BusEvent.Requeue _,
                    BusEvent.JournalSpoke _,
                    BusEvent.LoadProfile _,
                    BusEvent.RemoveChannel _ ->
                    throw new IllegalArgumentException("the model has no " + event);
        }
        checkTold(effects);
        checkDeliveries(effects);
        checkNothingIsLeftOver();
        checkRooms(effects);
        checkStats(stats, event instanceof BusEvent.Tick);
    }

    // Publishing

    private void publish(BusEvent.Publish publish, RecordedEffects effects) {
        List<Long> duplicates = new ArrayList<>();
        List<Long> refused = new ArrayList<>();
        List<Message> own = new ArrayList<>();
        for (Envelope envelope : publish.messages()) {
            ModelChannel channel = channel(envelope.channel());
            List<Long> id = List.of(envelope.publisher(), envelope.sequence());
            if (taken.contains(id)) {
                channel.duplicates++;
                duplicates.add(envelope.sequence());
                continue;
            }
            long wait = rateWait(channel);
            if (wait < 0) {
                channel.limited++;
                refused.add(envelope.sequence());
                continue;
            }
            String key = key(channel, envelope);
            if (key != null && isKnown(channel, key)) {
                channel.duplicates++;
                duplicates.add(envelope.sequence());
                continue;
            }
            long delay = Math.max(wait, envelope.delayMillis());
            Message message = message(channel, publish.connection(), envelope, key, delay);
            channel.published++;
            if (key != null) {
                channel.inFlight.add(key);
            }
            own.add(message);
            if (delay > 0) {
                channel.delayed++;
                delayed.add(new DelayedMessage(message, now + delay));
            } else {
                offer(message, own);
                if (message.lost()) {
                    continue;
                }
            }
            channel.next++;
            taken.add(id);
        }
        Map<Long, ErrorCode> told = new HashMap<>();
        duplicates.forEach(sequence -> told.put(sequence, ErrorCode.DUPLICATE));
        refused.forEach(sequence -> told.put(sequence, ErrorCode.RATE_LIMITED));
        rejected.forEach(sequence -> told.put(sequence, ErrorCode.QUEUE_FULL));
        Map<Long, ErrorCode> real = new HashMap<>();
        effects.rejected.forEach(rejection -> real.put(rejection.sequence(), rejection.code()));
        assertThat(real).isEqualTo(told);
        assertThat(effects.accepted)
                .isEqualTo(publish.messages().size() - refused.size() - rejected.size());
    }

    private Message message(
            ModelChannel channel,
            String connection,
            Envelope envelope,
            @Nullable String key,
            long delay) {
        long ttl = envelope.ttlMillis() == 0 ? channel.config.ttlMillis() : envelope.ttlMillis();
        return new Message(
                channel,
                connection,
                envelope.publisher(),
                envelope.sequence(),
                envelope.priority(),
                key,
                ++orders,
                channel.next,
                now + delay,
                ttl == 0 ? Long.MAX_VALUE : now + delay + ttl,
                false);
    }

    /** -1 if it comes too fast. */
    private long rateWait(ModelChannel channel) {
        Rate rate = channel.config.rate();
        if (rate == null) {
            return 0;
        }
        double perMilli = rate.perSecond() / 1e3;
        if (channel.tokensAt != Long.MIN_VALUE) {
            channel.tokens =
                    Math.min(rate.burst(), channel.tokens + (now - channel.tokensAt) * perMilli);
        }
        channel.tokensAt = now;
        long wait = channel.tokens >= 1 ? 0 : (long) Math.ceil((1 - channel.tokens) / perMilli);
        boolean waits = channel.config.dropPolicy() == DropPolicy.BLOCK;
        if (wait > (waits ? channel.config.blockTimeoutMillis() : 0)) {
            return -1;
        }
        channel.tokens -= 1;
        return wait;
    }

    private static @Nullable String key(ModelChannel channel, Envelope envelope) {
        if (channel.config.idempotency() == null) {
            return null;
        }
        return Payloads.payload(envelope) instanceof Map<?, ?> map && map.get("id") != null
                ? String.valueOf(map.get("id"))
                : null;
    }

    private boolean isKnown(ModelChannel channel, String key) {
        Long until = channel.doneKeys.get(key);
        return channel.inFlight.contains(key) || until != null && until > now;
    }

    /** Queues it for all that want it, or finds that nobody can take it. */
    private void offer(Message message, List<Message> own) {
        ModelChannel channel = message.channel;
        boolean wanted = false;
        for (ModelReceiver receiver : channel.receivers) {
            if (receiver.wants(message)) {
                wanted = true;
                offer(message, receiver, own);
            }
        }
        if (!wanted) {
            channel.unrouted++;
            message.delivered = true;
            ended(message);
        } else if (message.lost()) {
            ended(message);
            tellLost(message, own);
        }
    }

    private void offer(Message message, ModelReceiver receiver, List<Message> own) {
        ModelChannel channel = message.channel;
        channel.copies++;
        int max = channel.config.maxQueueSize();
        if (max > 0 && receiver.waitingIn(channel) - receiver.credit() >= max) {
            expire(receiver, channel);
        }
        if (max > 0 && receiver.waitingIn(channel) - receiver.credit() >= max) {
            switch (channel.config.dropPolicy()) {
                case DROP_NEW -> {
                    channel.dropped++;
                    return;
                }
                case DROP_OLD -> {
                    channel.dropped++;
                    Message victim = victim(receiver, channel);
                    if (message.priority > victim.priority) {
                        return;
                    }
                    add(message, receiver);
                    receiver.waiting.remove(victim);
                    receiver.failures.remove(victim);
                    copyEnded(victim);
                    if (victim.lost()) {
                        tellLost(victim, own);
                    }
                    return;
                }
                case BLOCK -> {
                    if (receiver.waitingIn(channel) - receiver.credit() >= 2L * max) {
                        channel.dropped++;
                        return;
                    }
                    receiver.parked
                            .computeIfAbsent(channel, unused -> new ArrayList<>())
                            .add(
                                    new Parked(
                                            message,
                                            now + channel.config.blockTimeoutMillis(),
                                            ++orders));
                }
            }
        }
        add(message, receiver);
    }

    private static void add(Message message, ModelReceiver receiver) {
        receiver.waiting.add(message);
        message.copies++;
    }

    private static Message victim(ModelReceiver receiver, ModelChannel channel) {
        return receiver.waiting.stream()
                .filter(m -> m.channel == channel)
                .min(
                        Comparator.<Message>comparingLong(m -> -m.priority)
                                .thenComparingLong(m -> m.order))
                .orElseThrow();
    }

    private void tellLost(Message message, List<Message> own) {
        if (message.letter) {
            return;
        }
        if (own.contains(message)) {
            rejected.add(message.sequence);
        } else {
            evicted.add(new Evicted(message.connection, message.sequence));
        }
    }

    private void copyEnded(Message message) {
        if (--message.copies == 0) {
            ended(message);
        }
    }

    private void ended(Message message) {
        if (message.key != null) {
            message.channel.inFlight.remove(message.key);
            ChannelConfig.Idempotency config = message.channel.config.idempotency();
            if (message.done && config != null) {
                message.channel.doneKeys.put(message.key, now + config.ttlMillis());
            }
        }
    }

    private void checkTold(RecordedEffects effects) {
        assertThat(effects.evicted).containsExactlyInAnyOrderElementsOf(evicted);
    }

    // Subscribing

    private void subscribe(BusEvent.Subscribe s) {
        ModelReceiver receiver = null;
        if (s.terms().group() != null) {
            receiver =
                    receivers.stream()
                            .filter(r -> r.subject.equals(s.channel()))
                            .filter(r -> Objects.equals(r.terms.group(), s.terms().group()))
                            .findFirst()
                            .orElse(null);
        }
        if (receiver == null) {
            receiver = new ModelReceiver(s.channel(), s.terms(), now);
            receivers.add(receiver);
            if (s.channel().indexOf('*') < 0) {
                channel(s.channel());
            }
            for (ModelChannel channel : channels.values()) {
                if (covers(receiver.subject, channel.config.name())) {
                    channel.receivers.add(receiver);
                }
            }
        }
        receiver.members.add(new Member(s.connection(), s.subscription(), ++ordinals, s.credit()));
    }

    private static boolean covers(String subject, String name) {
        return switch (subject) {
            case "**" -> true;
            case "llm.*" -> name.startsWith("llm.") && name.indexOf('.', 4) < 0;
            default -> subject.equals(name);
        };
    }

    private void leave(String connection, int id) {
        for (ModelReceiver receiver : List.copyOf(receivers)) {
            for (Member member : List.copyOf(receiver.members)) {
                if (member.connection.equals(connection) && member.id == id) {
                    leave(receiver, member);
                }
            }
        }
    }

    private void leave(ModelReceiver receiver, Member member) {
        if (receiver.members.size() > 1) {
            receiver.members.remove(member);
            for (Lease lease : List.copyOf(receiver.leases.values())) {
                if (lease.holder() == member) {
                    receiver.leases.values().remove(lease);
                    failed(receiver, lease, 0);
                }
            }
            return;
        }
        receivers.remove(receiver);
        for (Lease lease : receiver.leases.values()) {
            lease.message().channel.returned++;
            abandoned(lease.message());
        }
        receiver.retries.forEach(retry -> abandoned(retry.message()));
        receiver.waiting.forEach(this::abandoned);
        channels.values().forEach(channel -> channel.receivers.remove(receiver));
    }

    private void abandoned(Message message) {
        message.channel.abandoned++;
        copyEnded(message);
    }

    private interface OfMember {
        void accept(ModelReceiver receiver, Member member);
    }

    private boolean member(String connection, int id, OfMember then) {
        for (ModelReceiver receiver : receivers) {
            for (Member member : receiver.members) {
                if (member.connection.equals(connection) && member.id == id) {
                    then.accept(receiver, member);
                    return true;
                }
            }
        }
        return false;
    }

    // Settling

    private void settle(BusEvent.Settle settle, RecordedEffects effects) {
        int[] settled = {0};
        for (Settlement settlement : settle.settlements()) {
            member(
                    settle.connection(),
                    settlement.subscription(),
                    (receiver, member) -> {
                        Lease lease = receiver.leases.get(settlement.sequence());
                        if (lease != null && lease.holder() == member) {
                            settled[0]++;
                            settle(receiver, lease, settlement);
                        }
                    });
        }
        assertThat(effects.settled).isEqualTo(settled[0]);
        assertThat(effects.unknown).isEqualTo(settle.settlements().size() - settled[0]);
    }

    private void settle(ModelReceiver receiver, Lease lease, Settlement settlement) {
        Message message = lease.message();
        if (settlement.kind() == Settlement.Kind.EXTEND) {
            Lease longer =
                    new Lease(
                            message,
                            lease.holder(),
                            lease.attempt(),
                            now + settlement.delayMillis());
            receiver.leases.put(settlement.sequence(), longer);
            return;
        }
        receiver.leases.remove(settlement.sequence());
        lease.holder().credit++;
        switch (settlement.kind()) {
            case ACK -> {
                message.channel.acknowledged++;
                message.done = true;
                receiver.failures.remove(message);
                receiver.settled.add(message);
                copyEnded(message);
            }
            case NACK -> failed(receiver, lease, settlement.delayMillis());
            case TERM -> dead(receiver, message);
            case EXTEND -> throw new IllegalStateException("handled above");
        }
    }

    private void failed(ModelReceiver receiver, Lease lease, long delay) {
        Message message = lease.message();
        if (lease.attempt() >= receiver.terms.maxAttempts()) {
            dead(receiver, message);
            return;
        }
        message.channel.returned++;
        receiver.failures.put(message, lease.attempt());
        long wait =
                delay == Settlement.BY_BACKOFF ? receiver.terms.backoff().initialMillis() : delay;
        if (wait == 0) {
            receiver.waiting.add(message);
        } else {
            receiver.retries.add(new Retry(message, now + wait));
        }
    }

    /** I13 */
    private void dead(ModelReceiver receiver, Message message) {
        message.channel.dead++;
        receiver.failures.remove(message);
        receiver.settled.add(message);
        if (!message.letter && message.channel.config.deadLetterChannel() != null) {
            ModelChannel dead = channel(DEAD);
            List<Object> id = List.of(message.publisher, message.sequence, receiver.terms.name());
            lettersDue.merge(id, dead.receivers.size(), Integer::sum);
            Message letter =
                    new Message(
                            dead,
                            receiver.terms.name(),
                            message.publisher,
                            message.sequence,
                            0,
                            null,
                            letterOrder,
                            -1,
                            now,
                            Long.MAX_VALUE,
                            true);
            dead.published++;
            dead.next++;
            offer(letter, List.of());
        }
        copyEnded(message);
    }

    // Time

    private void tick() {
        record Due(long at, long order, Runnable what) {}
        List<Due> all = new ArrayList<>();
        for (DelayedMessage one : delayed) {
            all.add(new Due(one.due, one.message.order, () -> release(one)));
        }
        for (ModelReceiver receiver : receivers) {
            for (Map.Entry<Long, Lease> lease : receiver.leases.entrySet()) {
                all.add(
                        new Due(
                                lease.getValue().due(),
                                0,
                                () -> ranOut(receiver, lease.getKey(), lease.getValue())));
            }
            for (Retry retry : receiver.retries) {
                all.add(new Due(retry.due(), 0, () -> again(receiver, retry)));
            }
            receiver.parked.forEach(
                    (channel, list) ->
                            list.forEach(
                                    one ->
                                            all.add(
                                                    new Due(
                                                            one.until(),
                                                            one.order(),
                                                            () -> giveUp(receiver, one)))));
        }
        all.stream()
                .filter(due -> due.at <= now)
                .sorted(Comparator.comparingLong(Due::at).thenComparingLong(Due::order))
                .toList()
                .forEach(due -> due.what.run());
    }

    private void release(DelayedMessage one) {
        delayed.remove(one);
        one.message.channel.delayed--;
        offer(one.message, List.of());
    }

    private void ranOut(ModelReceiver receiver, long sequence, Lease lease) {
        receiver.leases.remove(sequence);
        failed(receiver, lease, 0);
        lease.holder().credit++;
    }

    private static void again(ModelReceiver receiver, Retry retry) {
        receiver.retries.remove(retry);
        receiver.waiting.add(retry.message());
    }

    private void giveUp(ModelReceiver receiver, Parked one) {
        ModelChannel channel = one.message().channel;
        List<Parked> list = receiver.parked.get(channel);
        if (list == null || !list.remove(one)) {
            return;
        }
        if (!receiver.isOver(channel)) {
            receiver.parked.remove(channel);
        } else if (!receiver.failures.containsKey(one.message())
                && receiver.waiting.remove(one.message())) {
            channel.dropped++;
            receiver.failures.remove(one.message());
            copyEnded(one.message());
            if (one.message().lost()) {
                evicted.add(new Evicted(one.message().connection, one.message().sequence));
            }
            receiver.removed(channel);
        }
    }

    private void expire(ModelReceiver receiver, ModelChannel channel) {
        for (Message message : List.copyOf(receiver.waiting)) {
            if (message.channel == channel && message.expires <= now) {
                receiver.waiting.remove(message);
                receiver.failures.remove(message);
                message.endedOtherwise = true;
                copyEnded(message);
            }
        }
    }

    // What is delivered

    private void checkDeliveries(RecordedEffects effects) {
        Map<String, List<Delivered>> byConnection = new LinkedHashMap<>();
        String last = "";
        for (Delivered delivered : effects.delivered) {
            if (!delivered.connection().equals(last)) {
                assertThat(byConnection)
                        .as("a connection's deliveries come together")
                        .doesNotContainKey(delivered.connection());
            }
            last = delivered.connection();
            byConnection.computeIfAbsent(last, unused -> new ArrayList<>()).add(delivered);
        }
        // A group serves several connections: each of its deliveries must be the best that is left,
        // in one order or another of the connections.
        Map<ModelReceiver, List<Message>> byReceiver = new LinkedHashMap<>();
        for (List<Delivered> list : byConnection.values()) {
            Message before = null;
            for (Delivered delivered : list) {
                Message message = delivered(delivered, byReceiver);
                assertThat(before == null || compare(before, message) <= 0)
                        .as("I11: %s came too late for its connection: %s", delivered, list)
                        .isTrue();
                before = message;
            }
        }
        byReceiver.forEach(this::checkBest);
    }

    private int compare(Message a, Message b) {
        int byPriority = Long.compare(a.priorityAt(now), b.priorityAt(now));
        return byPriority != 0 ? byPriority : Long.compare(a.order, b.order);
    }

    /** I11: what a receiver gave is no worse than what it kept. */
    private void checkBest(ModelReceiver receiver, List<Message> given) {
        Message kept = receiver.best(now);
        if (kept != null) {
            for (Message message : given) {
                assertThat(compare(message, kept))
                        .as("I11 of %s", receiver.subject)
                        .isNotPositive();
            }
        }
    }

    private Message delivered(Delivered delivered, Map<ModelReceiver, List<Message>> byReceiver) {
        Message[] found = {null};
        boolean known =
                member(
                        delivered.connection(),
                        delivered.delivery().subscription(),
                        (receiver, member) ->
                                found[0] = deliver(receiver, member, delivered, byReceiver));
        assertThat(known).as("%s for nobody", delivered).isTrue();
        return Objects.requireNonNull(found[0]);
    }

    private Message deliver(
            ModelReceiver receiver,
            Member member,
            Delivered delivered,
            Map<ModelReceiver, List<Message>> byReceiver) {
        Envelope envelope = delivered.delivery().envelope();
        assertThat(member.credit).as("credit of %s", delivered).isPositive();
        assertThat(receiver.hasToken(now)).as("rate of %s", delivered).isTrue();
        Message message =
                receiver.waiting.stream()
                        .filter(m -> m.channel.config.name().equals(envelope.channel()))
                        .filter(m -> m.letter == (envelope.publisher() == 0))
                        .filter(m -> m.letter ? isLetterOf(m, envelope) : isOf(m, envelope))
                        .filter(m -> m.expires > now)
                        .filter(m -> attempt(receiver, m) == delivered.delivery().attempt())
                        .min(receiver.order(now))
                        .orElse(null);
        assertThat(message)
                .as("I2, I9: %s was not due, or not that attempt", delivered)
                .isNotNull();
        Message due = Objects.requireNonNull(message);
        checkNumbers(due, delivered);
        if (due.letter && delivered.delivery().attempt() == 1) {
            checkLetter(envelope);
        }
        receiver.waiting.remove(due);
        member.credit--;
        receiver.tokens--;
        due.delivered = true;
        due.channel.delivered++;
        byReceiver.computeIfAbsent(receiver, unused -> new ArrayList<>()).add(due);
        if (receiver.terms.acknowledged()) {
            assertThat(delivered.delivery().attempt())
                    .as("I13")
                    .isLessThanOrEqualTo(receiver.terms.maxAttempts());
            assertThat(receiver.settled).as("I9").doesNotContain(due);
            receiver.leases.put(
                    delivered.delivery().sequence(),
                    new Lease(
                            due,
                            member,
                            delivered.delivery().attempt(),
                            now + receiver.terms.leaseMillis()));
        } else {
            due.done = true;
            copyEnded(due);
        }
        receiver.removed(due.channel);
        return due;
    }

    private static int attempt(ModelReceiver receiver, Message message) {
        return receiver.failures.getOrDefault(message, 0) + 1;
    }

    /** I3; numbers of a channel are its own. */
    private void checkNumbers(Message message, Delivered delivered) {
        Envelope envelope = delivered.delivery().envelope();
        List<Object> identity =
                List.of(envelope.channel(), envelope.publisher(), envelope.sequence());
        assertThat(numbers.computeIfAbsent(delivered.delivery().sequence(), unused -> identity))
                .as("I3")
                .isEqualTo(identity);
        if (!message.letter && !message.channel.config.name().equals(DEAD)) {
            assertThat(delivered.delivery().channelSequence()).isEqualTo(message.number);
        }
    }

    private static boolean isOf(Message message, Envelope envelope) {
        return message.publisher == envelope.publisher() && message.sequence == envelope.sequence();
    }

    private static boolean isLetterOf(Message letter, Envelope envelope) {
        return List.<Object>of(letter.publisher, letter.sequence, letter.connection)
                .equals(origin(envelope));
    }

    /** What a dead letter is about: publisher, number and the subscription that gave up. */
    private static List<Object> origin(Envelope envelope) {
        Map<?, ?> payload = (Map<?, ?>) Objects.requireNonNull(Payloads.payload(envelope));
        String id = String.valueOf(((Map<?, ?>) payload.get("message")).get("id"));
        return List.of(
                Long.parseUnsignedLong(id.substring(0, 16), 16),
                Long.parseUnsignedLong(id.substring(16), 16),
                String.valueOf(payload.get("subscriber")));
    }

    /** I13: one for each subscription and message that ran out of attempts, to each receiver. */
    private void checkLetter(Envelope envelope) {
        List<Object> origin = origin(envelope);
        assertThat(lettersDue.merge(origin, -1, Integer::sum))
                .as("I13: letter for %s", origin)
                .isNotNegative();
    }

    private void checkNothingIsLeftOver() {
        for (ModelReceiver receiver : receivers) {
            boolean mayTake =
                    receiver.members.stream()
                            .anyMatch(m -> m.credit > 0 && !hasNoRoom.test(m.connection));
            if (mayTake && receiver.hasToken(now)) {
                assertThat(receiver.best(now)).as("left over of %s", receiver.subject).isNull();
            }
        }
    }

    private void checkRooms(RecordedEffects effects) {
        for (String told : effects.rooms) {
            String[] words = told.split(" ");
            Set<String> connections = held.computeIfAbsent(words[1], unused -> new HashSet<>());
            if (words[2].equals("0")) {
                assertThat(connections.add(words[0])).as("told twice: %s", told).isTrue();
            } else {
                assertThat(connections.remove(words[0])).as("never told: %s", told).isTrue();
            }
        }
    }

    boolean holdsBackSomebody() {
        return held.values().stream().anyMatch(connections -> !connections.isEmpty());
    }

    // Counts

    /** I12. When a message is found to have expired is free, but for a tick, which finds all. */
    private void checkStats(Map<String, ChannelStats> stats, boolean afterTick) {
        assertThat(stats.keySet()).isEqualTo(channels.keySet());
        channels.forEach(
                (name, channel) -> {
                    ChannelStats s = Objects.requireNonNull(stats.get(name));
                    assertThat(
                                    List.of(
                                            s.published(),
                                            s.copies(),
                                            s.delivered(),
                                            s.returned(),
                                            s.acknowledged(),
                                            s.dead(),
                                            s.dropped(),
                                            s.unrouted(),
                                            s.delayed(),
                                            s.duplicates(),
                                            s.limited(),
                                            s.subscriptions()))
                            .as(
                                    "%s: published, copies, delivered, returned, acknowledged,"
                                            + " dead, dropped, unrouted, delayed, duplicates,"
                                            + " limited, subscriptions",
                                    name)
                            .isEqualTo(
                                    List.of(
                                            channel.published,
                                            channel.copies,
                                            channel.delivered,
                                            channel.returned,
                                            channel.acknowledged,
                                            channel.dead,
                                            channel.dropped,
                                            channel.unrouted,
                                            channel.delayed,
                                            channel.duplicates,
                                            channel.limited,
                                            channel.receivers.stream()
                                                    .mapToLong(r -> r.members.size())
                                                    .sum()));
                    assertThat(s.copies())
                            .as("conservation in %s: %s", name, s)
                            .isEqualTo(
                                    s.delivered()
                                            - s.returned()
                                            + s.dropped()
                                            + s.expired()
                                            + s.abandoned()
                                            + s.queued());
                    if (afterTick) {
                        channel.receivers.forEach(r -> expire(r, channel));
                        assertThat(s.queued()).as("queued in %s", name).isEqualTo(queued(channel));
                        assertThat(s.inFlight())
                                .as("in flight of %s", name)
                                .isEqualTo(inFlight(channel));
                    }
                });
    }

    private static long queued(ModelChannel channel) {
        return channel.receivers.stream()
                .mapToLong(
                        r ->
                                r.waitingIn(channel)
                                        + r.retries.stream()
                                                .filter(x -> x.message().channel == channel)
                                                .count())
                .sum();
    }

    private static long inFlight(ModelChannel channel) {
        return channel.receivers.stream()
                .flatMap(r -> r.leases.values().stream())
                .filter(lease -> lease.message().channel == channel)
                .count();
    }

    private ModelChannel channel(String name) {
        ModelChannel known = channels.get(name);
        if (known == null) {
            known = new ModelChannel(settings.channel(name));
            channels.put(name, known);
            for (ModelReceiver receiver : receivers) {
                if (covers(receiver.subject, name)) {
                    known.receivers.add(receiver);
                }
            }
        }
        return known;
    }
}
