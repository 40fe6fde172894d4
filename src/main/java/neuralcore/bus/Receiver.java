package neuralcore.bus;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import neuralcore.wire.Delivery;
import org.jspecify.annotations.Nullable;

/**
 * Who gets one copy of each message of its channels: a subscription by itself, or a group whose
 * members compete for it. It has a lane in each of those channels.
 *
 * <p>A group hands each message to the next of its members, in turn, that has credit.
 */
final class Receiver {
    final long ordinal;

    /** The channel or pattern it was made for. */
    final String subject;

    /** Null where deliveries need not be settled. */
    final @Nullable Settlements settlements;

    /** What it has settled for good; null if it does not outlive its members. */
    final @Nullable Durable durable;

    final Map<Channel, Lane> lanes = new LinkedHashMap<>();
    final List<Subscription> members = new ArrayList<>();

    private final boolean isGroup;
    private final Deque<Subscription> turns = new ArrayDeque<>();
    private final List<Lane> waiting = new ArrayList<>(1);
    private final Timers timers;
    private final Dispatcher dispatcher;
    private Terms terms;
    private @Nullable TokenBucket bucket;
    private @Nullable Wake wake;
    private long credit;

    /** Whether what leaves its lanes now is not settled by that. */
    boolean abandoning;

    /** Whether it is in the dispatcher's list of groups. */
    boolean ready;

    Receiver(
            long ordinal,
            String subject,
            Terms terms,
            @Nullable Settlements settlements,
            @Nullable Durable durable,
            Timers timers,
            Dispatcher dispatcher) {
        this.ordinal = ordinal;
        this.subject = subject;
        this.settlements = settlements;
        this.durable = durable;
        this.timers = timers;
        this.dispatcher = dispatcher;
        this.isGroup = terms.group() != null;
        this.terms = terms;
        setTerms(terms);
    }

    /** A group goes by what the last member asked for. */
    void setTerms(Terms latest) {
        Rate rate = latest.rate();
        if (rate == null) {
            bucket = null;
        } else if (bucket == null || !rate.equals(terms.rate())) {
            bucket = new TokenBucket(rate);
        }
        terms = latest;
    }

    Terms terms() {
        return terms;
    }

    Timers timers() {
        return timers;
    }

    boolean isGroup() {
        return isGroup;
    }

    /** The one member of a receiver that is no group. */
    Subscription only() {
        return members.getFirst();
    }

    /** Who dead letters say it is. */
    String name() {
        String group = terms.group();
        if (!terms.name().isEmpty() || members.isEmpty()) {
            return terms.name();
        }
        return group == null ? only().subscriber.connection + "/" + only().id : group;
    }

    boolean hasMembers() {
        return !members.isEmpty();
    }

    boolean isExclusive() {
        return terms.exclusive() && !members.isEmpty();
    }

    boolean wants(Subject message) {
        Filter filter = terms.filter();
        return filter == null || filter.matches(message);
    }

    // Credit and rate

    long credit() {
        return credit;
    }

    void creditChanged(long by) {
        credit += by;
    }

    void spend(long nowMillis) {
        credit--;
        if (bucket != null) {
            bucket.take(nowMillis);
        }
    }

    /** Whether credit and rate allow a delivery; if only the rate does not, it will ask again. */
    boolean mayDeliver(long nowMillis) {
        if (credit <= 0) {
            return false;
        }
        if (bucket == null || bucket.allows(nowMillis)) {
            return true;
        }
        if (wake == null) {
            wake = new Wake();
        }
        if (!wake.isSet()) {
            timers.set(wake, bucket.nextMillis(nowMillis));
        }
        return false;
    }

    private final class Wake extends Timers.Timer {
        @Override
        void fire(long nowMillis, Effects effects) {
            somethingMayGo();
        }
    }

    /** A delivery as those want it who see each before it leaves. */
    Delivery lastLook(Subscription to, Delivery delivery) {
        return dispatcher.lastLook(to.subscriber.connection, delivery);
    }

    // Lanes

    /** A lane may have something to deliver. */
    void ready(Lane lane) {
        dispatcher.ready(lane);
    }

    /** Somebody is there to take what waits on the disk. */
    void wake() {
        lanes.values().forEach(Lane::wake);
    }

    /** A lane has something in it. */
    void list(Lane lane) {
        if (!lane.listed) {
            lane.listed = true;
            waiting.add(lane);
        }
    }

    /** There is new credit, or a new token: whatever waits may be due. */
    void somethingMayGo() {
        int kept = 0;
        for (Lane lane : waiting) {
            if (lane.isEmpty()) {
                lane.listed = false;
            } else {
                waiting.set(kept++, lane);
                dispatcher.ready(lane);
            }
        }
        waiting.subList(kept, waiting.size()).clear();
    }

    /** Whether an attempt at a message has failed. */
    boolean hasTried(QueuedMessage message) {
        return settlements != null && settlements.hasTried(message);
    }

    /** A message that waited is gone; its failed attempts are forgotten. */
    void forget(QueuedMessage message) {
        if (settlements != null) {
            settlements.forget(message);
        }
        if (durable != null && !abandoning) {
            durable.settle(message.channelSequence);
        }
    }

    /** A message that its filter does not let through. */
    void unwanted(QueuedMessage message) {
        if (durable != null) {
            durable.settle(message.channelSequence);
        }
    }

    /** A lane ends, with all that waits in it or was not settled. */
    void abandon(Lane lane) {
        abandoning = true;
        if (settlements != null) {
            settlements.abandon(members, lane::equals);
        }
        lane.abandon();
        abandoning = false;
    }

    void cancelTimers() {
        if (wake != null) {
            timers.cancel(wake);
        }
    }

    // Members of a group

    /** A member has got credit. */
    void mayTake(Subscription member) {
        if (isGroup && !member.eligible && member.credit() > 0) {
            member.eligible = true;
            turns.add(member);
        }
    }

    void leave(Subscription member) {
        members.remove(member);
        turns.remove(member);
        member.retire();
    }

    /**
     * Hands out what waits, most urgent first, as long as members have credit and room.
     *
     * @param picks empty scratch space
     */
    void handOut(long nowMillis, PriorityQueue<Source> picks) {
        for (Lane lane : waiting) {
            if (lane.prepare(nowMillis)) {
                picks.add(lane);
            }
        }
        for (Source next = picks.poll(); next != null; next = picks.poll()) {
            Subscription member = next.mayStill(nowMillis) ? nextMember() : null;
            if (member == null) {
                picks.clear();
                return;
            }
            handTo(member, (Lane) next, nowMillis);
            if (next.prepare(nowMillis)) {
                picks.add(next);
            }
        }
    }

    /** Whose turn it is; null if nobody can take anything. */
    private @Nullable Subscription nextMember() {
        Subscription member = turns.poll();
        while (member != null && member.subscriber.window().isSpent()) {
            member.eligible = false;
            member.subscriber.passOver(member);
            member = turns.poll();
        }
        return member;
    }

    private void handTo(Subscription member, Lane lane, long nowMillis) {
        QueuedMessage message = lane.head;
        HandedOut out = member.handedOut;
        if (message == null || out == null) {
            throw new IllegalStateException("a lane was handed out before prepare()");
        }
        long priority = lane.headPriority;
        Delivery delivery = lane.deliver(member, nowMillis);
        out.add(message, priority, delivery);
        dispatcher.handed(member, out);
        if (member.credit() > 0) {
            turns.add(member);
        } else {
            member.eligible = false;
        }
    }
}
