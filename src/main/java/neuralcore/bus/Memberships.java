package neuralcore.bus;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
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
    private long receiversMade;

    private record GroupName(String subject, String group) {}

    Memberships(
            Channels channels,
            Timers timers,
            Dispatcher dispatcher,
            RandomGenerator random,
            Settlements.DeadLetters deadLetters) {
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
        Subscriber subscriber =
                subscribers.computeIfAbsent(subscribe.connection(), Subscriber::new);
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
                        timers,
                        dispatcher);
        channels.attach(receiver, subscribe.nowMillis());
        return receiver;
    }

    // Serving

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
        if (receiver.members.size() == 1) {
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

    private void end(Receiver receiver, long nowMillis) {
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
