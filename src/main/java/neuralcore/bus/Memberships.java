package neuralcore.bus;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import neuralcore.journal.AckSet;
import neuralcore.journal.Durability;
import neuralcore.journal.DurableName;
import neuralcore.journal.Entry;
import neuralcore.journal.Position;
import neuralcore.journal.Recovery;
import neuralcore.journal.StartAt;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;

/** Who subscribes in one namespace: how subscriptions begin, are served, and end. */
final class Memberships {
    private final Channels channels;
    private final Timers timers;
    private final Dispatcher dispatcher;
    private final RandomGenerator random;
    private final Settlements.DeadLetters deadLetters;
    private final Map<String, Subscriber> subscribers = new HashMap<>();
    private final Map<GroupName, Receiver> groups = new HashMap<>();
    private final Keeper keeper;
    private final Function<String, Subscriber> newSubscriber;
    private long receiversMade;

    /** Makes channels persistent. */
    interface Keeper {
        /** The channel, persistent by now; null in a namespace where nothing is kept. */
        @Nullable Channel kept(String channel);
    }

    private record GroupName(String subject, String group) {}

    Memberships(
            Channels channels,
            Timers timers,
            Dispatcher dispatcher,
            RandomGenerator random,
            Settlements.DeadLetters deadLetters,
            Keeper keeper,
            Function<String, Subscriber> newSubscriber) {
        this.keeper = keeper;
        this.newSubscriber = newSubscriber;
        this.channels = channels;
        this.timers = timers;
        this.dispatcher = dispatcher;
        this.random = random;
        this.deadLetters = deadLetters;
    }

    // Beginning

    void subscribe(BusEvent.Subscribe subscribe) {
        check(subscribe);
        Terms terms = subscribe.terms();
        String group = terms.group();
        Receiver receiver;
        if (group == null) {
            receiver = open(subscribe);
        } else {
            GroupName name = new GroupName(subscribe.channel(), group);
            Receiver known = groups.get(name);
            receiver = known == null ? open(subscribe) : known;
            receiver.setTerms(terms);
            groups.put(name, receiver);
        }
        Subscriber subscriber = subscribers.computeIfAbsent(subscribe.connection(), newSubscriber);
        subscriber.window().resize(subscribe.window());
        Subscription member =
                new Subscription(
                        subscribe.subscription(),
                        subscriber,
                        receiver,
                        group == null ? null : new HandedOut(++receiversMade));
        subscriber.subscriptions.put(member.id, member);
        receiver.members.add(member);
        receiver.lanes.keySet().forEach(channel -> channel.counts.subscriptions++);
        member.grant(subscribe.credit());
        receiver.mayTake(member);
        receiver.somethingMayGo();
        receiver.wake();
    }

    private void check(BusEvent.Subscribe subscribe) {
        if (subscribe.credit() < 0) {
            throw NeuralCoreException.invalid(
                    "The credit is %d; it must not be negative.".formatted(subscribe.credit()));
        }
        if (find(subscribe.connection(), subscribe.subscription()) != null) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "Subscription %s is in use by this connection; choose another number."
                            .formatted(Integer.toUnsignedString(subscribe.subscription())));
        }
        String group = subscribe.terms().group();
        Receiver known =
                group == null ? null : groups.get(new GroupName(subscribe.channel(), group));
        boolean acknowledged = subscribe.terms().acknowledged();
        if (known != null && known.terms().acknowledged() != acknowledged) {
            throw NeuralCoreException.invalid(
                    "Group '%s' of '%s' has ack '%s'; a member cannot have another."
                            .formatted(
                                    group,
                                    subscribe.channel(),
                                    acknowledged ? "none" : "explicit"));
        }
    }

    private Receiver open(BusEvent.Subscribe subscribe) {
        Terms terms = subscribe.terms();
        Channel kept = terms.durable() ? keptChannel(subscribe.channel()) : null;
        Ledger ledger = kept == null ? null : kept.ledger();
        String group = terms.group();
        if (kept != null && ledger != null && group != null) {
            return openDurable(kept, ledger, group, subscribe);
        }
        Receiver receiver = open(subscribe, null);
        for (Lane lane : receiver.lanes.values()) {
            replay(lane, terms.start());
        }
        return receiver;
    }

    private @Nullable Channel keptChannel(String channel) {
        if (Pattern.isPattern(channel)) {
            throw NeuralCoreException.invalid(
                    "'%s' is a pattern; a durable subscription is to one channel."
                            .formatted(channel));
        }
        return keeper.kept(channel);
    }

    private Receiver openDurable(
            Channel channel, Ledger ledger, String group, BusEvent.Subscribe subscribe) {
        DurableName name = new DurableName(subscribe.channel(), group);
        Position start = locate(channel, ledger, subscribe.terms().start());
        Durable durable = new Durable(name, new AckSet(start.afterNumber()), Map.of(), ledger);
        Receiver receiver = open(subscribe, durable);
        ledger.write(
                new Entry.SubscriptionOpened(name, start.afterNumber(), "{}"), Durability.DISK);
        fill(receiver, channel, start);
        return receiver;
    }

    private static Position locate(Channel channel, Ledger ledger, StartAt start) {
        return start instanceof StartAt.New
                ? new Position(channel.keptUpTo, channel.lastNumber())
                : ledger.journal().locate(channel.config().name(), start);
    }

    /** What a durable subscription has not settled waits for it on the disk. */
    private static void fill(Receiver receiver, Channel channel, Position from) {
        Lane lane = receiver.lanes.get(channel);
        Durable durable = receiver.durable;
        Backlog backlog = lane == null ? null : lane.backlog();
        if (lane != null && durable != null && backlog != null) {
            long waiting = channel.lastNumber() - durable.acks.floor() - durable.acks.beyond();
            lane.waitsOnDisk(waiting);
            backlog.recover(channel.priorities, from.afterSequence(), channel.keptUpTo, waiting);
        }
    }

    /** A durable subscription of before. */
    void recover(Channel channel, Ledger ledger, Recovery.Subscription found, long nowMillis) {
        Map<Long, Integer> attempts = new HashMap<>();
        found.attempts().forEach((number, failed) -> attempts.put(number, failed.attempts()));
        Durable durable = new Durable(found.name(), found.acks(), attempts, ledger);
        String group = found.name().group();
        Terms terms =
                new Terms(
                        true,
                        group,
                        "",
                        0,
                        Backoff.STANDARD,
                        Terms.STANDARD_LEASE_MILLIS,
                        null,
                        null,
                        true,
                        new StartAt.New());
        BusEvent.Subscribe begin =
                new BusEvent.Subscribe(nowMillis, "", 0, found.name().channel(), 0, terms);
        Receiver receiver = open(begin, durable);
        groups.put(new GroupName(receiver.subject, group), receiver);
        long floor = durable.acks.floor();
        fill(
                receiver,
                channel,
                ledger.journal().locate(receiver.subject, new StartAt.AfterNumber(floor)));
    }

    /** A subscription begins in the past of its channel. */
    private static void replay(Lane lane, StartAt start) {
        Channel channel = lane.channel;
        Ledger ledger = channel.ledger();
        Backlog backlog = lane.backlog();
        if (ledger == null || backlog == null || start instanceof StartAt.New) {
            return;
        }
        Position from = ledger.journal().locate(channel.config().name(), start);
        long messages = Math.max(0, channel.lastNumber() - from.afterNumber());
        lane.waitsOnDisk(messages);
        backlog.replay(from.afterSequence(), channel.keptUpTo, messages);
    }

    private Receiver open(BusEvent.Subscribe subscribe, @Nullable Durable durable) {
        Terms terms = subscribe.terms();
        Settlements settlements =
                terms.acknowledged()
                        ? new Settlements(timers, dispatcher, random, deadLetters)
                        : null;
        Receiver receiver =
                new Receiver(
                        ++receiversMade,
                        subscribe.channel(),
                        terms,
                        settlements,
                        durable,
                        timers,
                        dispatcher);
        channels.attach(receiver, subscribe.nowMillis());
        return receiver;
    }

    // Serving

    /** Whether nobody subscribes, to channels or to patterns. */
    boolean isEmpty() {
        return subscribers.isEmpty();
    }

    void credit(BusEvent.Credit credit) {
        Subscriber subscriber = subscribers.get(credit.connection());
        if (subscriber == null) {
            return;
        }
        for (Frame.Grant grant : credit.grants()) {
            Subscription member = subscriber.subscriptions.get(grant.subscription());
            if (member != null) {
                member.grant(grant.messages());
                member.receiver.mayTake(member);
                member.receiver.somethingMayGo();
            }
        }
        subscriber.goOn(dispatcher);
    }

    void settle(BusEvent.Settle settle, long nowMillis, Effects effects) {
        int settled = 0;
        for (Settlement settlement : settle.settlements()) {
            Subscription member = find(settle.connection(), settlement.subscription());
            Settlements settlements = member == null ? null : member.receiver.settlements;
            if (member != null
                    && settlements != null
                    && settlements.settle(member, settlement, nowMillis, effects)) {
                settled++;
            }
        }
        effects.settled(settled, settle.settlements().size() - settled);
    }

    private @Nullable Subscription find(String connection, int subscription) {
        Subscriber subscriber = subscribers.get(connection);
        return subscriber == null ? null : subscriber.subscriptions.get(subscription);
    }

    // Ending

    void unsubscribe(BusEvent.Unsubscribe unsubscribe, long nowMillis, Effects effects) {
        Subscription member = find(unsubscribe.connection(), unsubscribe.subscription());
        if (member != null && unsubscribe.forget()) {
            forget(member.receiver, nowMillis);
            return;
        }
        if (member == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND,
                    "This connection has no subscription %s."
                            .formatted(Integer.toUnsignedString(unsubscribe.subscription())));
        }
        leave(member, nowMillis, effects);
    }

    void connectionClosed(String connection, long nowMillis, Effects effects) {
        Subscriber subscriber = subscribers.get(connection);
        if (subscriber != null) {
            List.copyOf(subscriber.subscriptions.values())
                    .forEach(member -> leave(member, nowMillis, effects));
        }
    }

    /** A member leaves its receiver, which ends with its last. */
    private void leave(Subscription member, long nowMillis, Effects effects) {
        Receiver receiver = member.receiver;
        if (receiver.members.size() == 1 && receiver.durable == null) {
            end(receiver, nowMillis);
            return;
        }
        receiver.leave(member);
        receiver.lanes.keySet().forEach(channel -> channel.counts.subscriptions--);
        forget(member);
        if (receiver.settlements != null) {
            receiver.settlements.holderLeft(member, nowMillis, effects);
        }
    }

    /** A durable subscription ends for good, for all its members. */
    private void forget(Receiver receiver, long nowMillis) {
        Durable durable = receiver.durable;
        end(receiver, nowMillis);
        if (durable != null) {
            durable.ledger.write(new Entry.SubscriptionEnded(durable.name), Durability.DISK);
        }
    }

    private void end(Receiver receiver, long nowMillis) {
        receiver.abandoning = true;
        if (receiver.settlements != null) {
            receiver.settlements.abandon(receiver.members, lane -> true);
        }
        int members = receiver.members.size();
        receiver.lanes.keySet().forEach(channel -> channel.counts.subscriptions -= members);
        for (Subscription member : List.copyOf(receiver.members)) {
            receiver.leave(member);
            forget(member);
        }
        receiver.cancelTimers();
        channels.detach(receiver, nowMillis);
        String group = receiver.terms().group();
        if (group != null) {
            groups.remove(new GroupName(receiver.subject, group));
        }
    }

    private void forget(Subscription member) {
        Subscriber subscriber = member.subscriber;
        subscriber.subscriptions.remove(member.id);
        if (subscriber.subscriptions.isEmpty()) {
            subscribers.remove(subscriber.connection);
        }
    }

    /** Ends the subscriptions to a channel, but not those by a pattern. */
    void endAllOf(Channel channel, long nowMillis) {
        for (Lane lane : List.copyOf(channel.lanes)) {
            if (Pattern.isPattern(lane.receiver.subject)) {
                lane.receiver.abandon(lane);
            } else {
                end(lane.receiver, nowMillis);
            }
        }
    }

    void endAll(long nowMillis) {
        for (Subscriber subscriber : List.copyOf(subscribers.values())) {
            for (Subscription member : List.copyOf(subscriber.subscriptions.values())) {
                if (member.receiver.members.contains(member)) {
                    end(member.receiver, nowMillis);
                }
            }
        }
    }
}
