package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Predicate;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.bus.RecordedEffects.Evicted;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;

/**
 * What one namespace must do, in the plainest way: lists, searched from end to end. {@link
 * BusSimulationTest} compares the real one to it after each step.
 *
 * <p>The invariants, by their names in the comments: I2 nothing is delivered that was not queued,
 * nor twice; I5 one publisher's messages of one priority keep their order within a channel; I11
 * each delivery is the most urgent and then the oldest that had credit; I12 the counts add up;
 * credit is never exceeded; channel numbers have no gaps; nobody gets anything after it left; and
 * nothing deliverable is left over at the end of a step.
 */
final class BusModel {
    private static final Comparator<Copy> ORDER =
            Comparator.<Copy>comparingLong(copy -> copy.message.priority)
                    .thenComparingLong(copy -> copy.message.arrival)
                    .thenComparingLong(copy -> copy.subscription.ordinal);

    private static final class Message {
        final String connection;
        final Envelope envelope;
        final long priority;
        final long arrival;
        final long number;
        final long expires;
        boolean delivered;
        boolean endedOtherwise;
        int waiting;

        Message(
                String connection,
                Envelope envelope,
                long priority,
                long arrival,
                long number,
                long expires) {
            this.connection = connection;
            this.envelope = envelope;
            this.priority = priority;
            this.arrival = arrival;
            this.number = number;
            this.expires = expires;
        }
    }

    private record Copy(Message message, Subscription subscription) {}

    private static final class Subscription {
        final String connection;
        final int id;
        final Channel channel;
        final long ordinal;
        final List<Copy> waiting = new ArrayList<>();
        final Map<List<Long>, Long> lastOfPublisher = new HashMap<>();
        long credit;

        Subscription(String connection, int id, Channel channel, long ordinal, long credit) {
            this.connection = connection;
            this.id = id;
            this.channel = channel;
            this.ordinal = ordinal;
            this.credit = credit;
        }
    }

    private static final class Channel {
        ChannelConfig config;
        final List<Subscription> subscriptions = new ArrayList<>();
        long published;
        long copies;
        long delivered;
        long dropped;
        long unrouted;
        long next = 1;
        boolean onDemand;
        boolean bounded = true;

        Channel(ChannelConfig config, boolean onDemand) {
            this.config = config;
            this.onDemand = onDemand;
        }
    }

    private final BusSettings settings;
    private final Map<String, Channel> channels = new TreeMap<>();
    private final List<Subscription> subscriptions = new ArrayList<>();
    private final Predicate<String> hasNoRoom;
    private long arrivals;
    private long ordinals;
    private long now;

    /**
     * @param hasNoRoom whether a connection's window is spent at the end of a step
     */
    BusModel(BusSettings settings, Predicate<String> hasNoRoom) {
        this.settings = settings;
        this.hasNoRoom = hasNoRoom;
    }

    boolean hasSubscriptions(String connection) {
        return subscriptions.stream().anyMatch(s -> s.connection.equals(connection));
    }

    /** Follows a step and compares what the real namespace did. */
    void check(BusEvent event, RecordedEffects effects, Map<String, ChannelStats> stats) {
        now = Math.max(now, event.nowMillis());
        switch (event) {
            case BusEvent.Publish publish -> publish(publish, effects);
            case BusEvent.Subscribe s -> {
                Channel channel = channel(s.channel());
                Subscription added =
                        new Subscription(
                                s.connection(), s.subscription(), channel, ++ordinals, s.credit());
                channel.subscriptions.add(added);
                subscriptions.add(added);
            }
            case BusEvent.Unsubscribe u ->
                    List.copyOf(subscriptions).stream()
                            .filter(s -> is(s, u.connection(), u.subscription()))
                            .forEach(this::end);
            case BusEvent.ConnectionClosed closed ->
                    List.copyOf(subscriptions).stream()
                            .filter(s -> s.connection.equals(closed.connection()))
                            .forEach(this::end);
            case BusEvent.CreateChannel create -> create(create.config(), effects);
            case BusEvent.Credit credit -> {
                for (Frame.Grant grant : credit.grants()) {
                    subscriptions.stream()
                            .filter(s -> is(s, credit.connection(), grant.subscription()))
                            .forEach(s -> s.credit += grant.messages());
                }
            }
            case BusEvent.Tick tick -> subscriptions.forEach(this::expire);
            case BusEvent.Settle _,
                    BusEvent.ConfigureChannel _,
                    BusEvent.LoadProfile _,
                    BusEvent.RemoveChannel _,
                    BusEvent.Purge _,
                    BusEvent.Requeue _,
                    BusEvent.JournalSpoke _ ->
                    throw new IllegalArgumentException("the model has no " + event);
        }
        checkDeliveries(effects);
        checkNothingIsLeftOver();
        checkStats(stats, event instanceof BusEvent.Tick);
    }

    private void create(ChannelConfig config, RecordedEffects effects) {
        Channel known = channels.get(config.name());
        assertThat(effects.created).isEqualTo(known == null || known.onDemand);
        if (known == null) {
            channels.put(config.name(), new Channel(config, false));
        } else if (known.onDemand) {
            known.config = config;
            known.onDemand = false;
            known.bounded = false; // More may wait already than the new bound allows.
        }
    }

    private void publish(BusEvent.Publish publish, RecordedEffects effects) {
        List<Message> own = new ArrayList<>();
        List<Message> displaced = new ArrayList<>();
        for (Envelope envelope : publish.messages()) {
            Channel channel = channel(envelope.channel());
            channel.published++;
            if (channel.subscriptions.isEmpty()) {
                channel.unrouted++;
                channel.next++;
                continue;
            }
            long priority =
                    envelope.priority() == Envelope.DEFAULT_PRIORITY
                            ? channel.config.defaultPriority()
                            : envelope.priority();
            Message message =
                    new Message(
                            publish.connection(),
                            envelope,
                            priority,
                            ++arrivals,
                            channel.next,
                            envelope.ttlMillis() == 0
                                    ? Long.MAX_VALUE
                                    : now + envelope.ttlMillis());
            own.add(message);
            boolean taken = false;
            for (Subscription subscription : channel.subscriptions) {
                taken |= offer(new Copy(message, subscription), displaced);
            }
            if (taken) {
                channel.next++;
            }
        }
        checkTold(own, displaced, effects, publish.messages().size());
    }

    private boolean offer(Copy copy, List<Message> displaced) {
        Subscription subscription = copy.subscription;
        Channel channel = subscription.channel;
        channel.copies++;
        int max = channel.config.maxQueueSize();
        if (max > 0 && subscription.waiting.size() - subscription.credit >= max) {
            expire(subscription);
        }
        if (max > 0 && subscription.waiting.size() - subscription.credit >= max) {
            channel.dropped++;
            long worst =
                    subscription.waiting.stream()
                            .mapToLong(c -> c.message.priority)
                            .max()
                            .orElseThrow();
            boolean refuse =
                    channel.config.dropPolicy() == DropPolicy.DROP_NEW
                            || copy.message.priority > worst;
            if (refuse) {
                displaced.add(copy.message);
                return false;
            }
            Copy oldest =
                    subscription.waiting.stream()
                            .filter(c -> c.message.priority == worst)
                            .min(ORDER)
                            .orElseThrow();
            subscription.waiting.remove(oldest);
            oldest.message.waiting--;
            displaced.add(oldest.message);
        }
        subscription.waiting.add(copy);
        copy.message.waiting++;
        return true;
    }

    /** Who was told of a loss must have lost all; who lost all to full queues must be told. */
    private static void checkTold(
            List<Message> own, List<Message> displaced, RecordedEffects effects, int size) {
        List<Long> rejected = new ArrayList<>();
        for (Frame.Rejection rejection : effects.rejected) {
            assertThat(rejection.code()).isEqualTo(ErrorCode.QUEUE_FULL);
            rejected.add(rejection.sequence());
        }
        List<Message> told = new ArrayList<>();
        for (Message message : displaced) {
            boolean lost = message.waiting == 0 && !message.delivered;
            boolean mine = own.contains(message);
            long sequence = message.envelope.sequence();
            boolean isTold =
                    mine
                            ? rejected.contains(sequence)
                            : effects.evicted.contains(new Evicted(message.connection, sequence));
            if (isTold) {
                assertThat(lost).as("message %d was not lost, but told", sequence).isTrue();
                if (!told.contains(message)) {
                    told.add(message);
                }
            } else {
                assertThat(lost && !message.endedOtherwise)
                        .as("message %d was lost and nobody told", sequence)
                        .isFalse();
            }
        }
        assertThat(effects.rejected.size() + effects.evicted.size()).isEqualTo(told.size());
        assertThat(effects.accepted).isEqualTo(size - rejected.size());
    }

    private void checkDeliveries(RecordedEffects effects) {
        List<String> served = new ArrayList<>();
        for (Delivered delivered : effects.delivered) {
            if (served.isEmpty() || !served.getLast().equals(delivered.connection())) {
                assertThat(served)
                        .as("a connection's deliveries come together")
                        .doesNotContain(delivered.connection());
                served.add(delivered.connection());
            }
            checkDelivery(delivered);
        }
    }

    private void checkDelivery(Delivered delivered) {
        Copy best =
                subscriptions.stream()
                        .filter(s -> s.connection.equals(delivered.connection()) && s.credit > 0)
                        .flatMap(s -> s.waiting.stream())
                        .filter(copy -> copy.message.expires > now)
                        .min(ORDER)
                        .orElse(null);
        assertThat(best).as("%s was not due", delivered).isNotNull(); // I2, credit, closed
        Copy due = Objects.requireNonNull(best);
        Message message = due.message;
        assertThat(delivered.delivery().subscription()).as("I11").isEqualTo(due.subscription.id);
        assertThat(delivered.sequence()).as("I11").isEqualTo(message.envelope.sequence());
        assertThat(delivered.delivery().envelope().publisher())
                .as("I11")
                .isEqualTo(message.envelope.publisher());
        assertThat(delivered.delivery().channelSequence())
                .as("channel number of %s", delivered)
                .isEqualTo(message.number);
        Long before =
                due.subscription.lastOfPublisher.put(
                        List.of(message.envelope.publisher(), message.priority),
                        message.envelope.sequence());
        assertThat(before == null || before < message.envelope.sequence())
                .as("I5: %s came after %s", delivered, before)
                .isTrue();
        due.subscription.waiting.remove(due);
        due.subscription.credit--;
        due.subscription.channel.delivered++;
        message.waiting--;
        message.delivered = true;
    }

    private void checkNothingIsLeftOver() {
        for (Subscription subscription : subscriptions) {
            if (subscription.credit > 0 && !hasNoRoom.test(subscription.connection)) {
                expire(subscription);
                assertThat(subscription.waiting).as("left over in spite of credit").isEmpty();
            }
            int max = subscription.channel.config.maxQueueSize();
            if (max > 0 && subscription.channel.bounded) {
                assertThat(subscription.waiting.size() - subscription.credit)
                        .isLessThanOrEqualTo(max);
            }
        }
    }

    /** I12. When a message is found to have expired is free, but for a tick, which finds all. */
    private void checkStats(Map<String, ChannelStats> stats, boolean afterTick) {
        assertThat(stats.keySet()).isEqualTo(channels.keySet());
        channels.forEach(
                (name, channel) -> {
                    ChannelStats s = Objects.requireNonNull(stats.get(name));
                    assertThat(s.published()).as(name).isEqualTo(channel.published);
                    assertThat(s.copies()).as(name).isEqualTo(channel.copies);
                    assertThat(s.delivered()).as(name).isEqualTo(channel.delivered);
                    assertThat(s.dropped()).as(name).isEqualTo(channel.dropped);
                    assertThat(s.unrouted()).as(name).isEqualTo(channel.unrouted);
                    assertThat(s.subscriptions()).isEqualTo(channel.subscriptions.size());
                    assertThat(s.copies())
                            .as("conservation in %s: %s", name, s)
                            .isEqualTo(
                                    s.delivered()
                                            + s.dropped()
                                            + s.expired()
                                            + s.abandoned()
                                            + s.queued());
                    if (afterTick) {
                        assertThat(s.queued())
                                .as(name)
                                .isEqualTo(
                                        channel.subscriptions.stream()
                                                .mapToLong(x -> x.waiting.size())
                                                .sum());
                    }
                });
    }

    private void expire(Subscription subscription) {
        for (Copy copy : List.copyOf(subscription.waiting)) {
            if (copy.message.expires <= now) {
                subscription.waiting.remove(copy);
                copy.message.waiting--;
                copy.message.endedOtherwise = true;
            }
        }
    }

    private void end(Subscription subscription) {
        for (Copy copy : subscription.waiting) {
            copy.message.waiting--;
            copy.message.endedOtherwise = true;
        }
        subscription.channel.subscriptions.remove(subscription);
        subscriptions.remove(subscription);
    }

    private Channel channel(String name) {
        return channels.computeIfAbsent(name, n -> new Channel(settings.channel(n), true));
    }

    private static boolean is(Subscription subscription, String connection, int id) {
        return subscription.connection.equals(connection) && subscription.id == id;
    }
}
