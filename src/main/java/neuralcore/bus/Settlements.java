package neuralcore.bus;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import neuralcore.journal.Durability;
import neuralcore.journal.Entry;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Settlement;

/**
 * What becomes of the deliveries of one receiver that settles them.
 *
 * <p>A delivery is leased. It ends when it is acknowledged, or terminated; when it is refused, when
 * its lease runs out or its holder goes, the message is delivered again, until its attempts are
 * used up: then it becomes a dead letter. A refused message waits out its back-off on a timer,
 * outside of the queue and of anybody's credit, and comes back into the place its number gives it.
 *
 * <p>Each step costs O(1), and O(log n) for the timer.
 */
final class Settlements {
    /** Takes what was given up on. */
    interface DeadLetters {
        /** Returns whether a letter is being kept, together with what is written next. */
        boolean give(QueuedMessage message, Lane lane, String reason, Effects effects);
    }

    private static final String LEASE_RAN_OUT =
            "{\"error_type\": \"LeaseExpired\", \"error\": \"The delivery was not settled in time.\"}";
    private static final String HOLDER_LEFT =
            "{\"error_type\": \"ConnectionLost\", \"error\": \"The subscriber left before it settled"
                    + " the delivery.\"}";

    /** When a message is given up again whose letter found no room on the disk. */
    private static final long REFUSED_LETTER_MILLIS = 1_000;

    private final Timers timers;
    private final Dispatcher dispatcher;
    private final RandomGenerator random;
    private final DeadLetters deadLetters;

    /** Messages of which an attempt has failed, until they end. */
    private final Map<Long, Failed> failed = new HashMap<>();

    Settlements(
            Timers timers, Dispatcher dispatcher, RandomGenerator random, DeadLetters deadLetters) {
        this.timers = timers;
        this.dispatcher = dispatcher;
        this.random = random;
        this.deadLetters = deadLetters;
    }

    private final class Failed extends Timers.Timer {
        final QueuedMessage message;
        final Lane lane;
        int attempts;

        Failed(QueuedMessage message, Lane lane) {
            this.message = message;
            this.lane = lane;
        }

        @Override
        void fire(long nowMillis, Effects effects) {
            lane.channel.counts.queued--;
            again(this);
        }
    }

    /** Begins a lease; returns which attempt it is, from 1. */
    int lease(QueuedMessage message, Lane lane, Subscription holder, long nowMillis) {
        Failed before = failed.isEmpty() ? null : failed.get(message.sequence);
        Durable durable = lane.receiver.durable;
        int attempts =
                before != null || durable == null ? 0 : durable.attempts(message.channelSequence);
        int attempt = 1 + (before == null ? attempts : before.attempts);
        Lease lease = new Lease(message, lane, holder, attempt, this);
        holder.leases.put(message.sequence, lease);
        timers.set(lease, nowMillis + lane.receiver.terms().leaseMillis());
        lane.channel.counts.inFlight++;
        return attempt;
    }

    /** Does what the holder says; false if it does not hold such a lease. */
    boolean settle(Subscription holder, Settlement settlement, long nowMillis, Effects effects) {
        Lease lease = holder.leases.get(settlement.sequence());
        if (lease == null) {
            return false;
        }
        switch (settlement.kind()) {
            case ACK -> {
                end(lease);
                acknowledged(lease);
            }
            case NACK -> {
                end(lease);
                long delay = settlement.delayMillis();
                failed(lease, delay, settlement.reason(), nowMillis, effects);
            }
            case TERM -> {
                end(lease);
                dead(lease, settlement.reason(), effects);
            }
            case EXTEND -> {
                long longer = settlement.delayMillis();
                long granted = longer > 0 ? longer : lease.lane.receiver.terms().leaseMillis();
                timers.set(lease, nowMillis + granted);
                return true;
            }
        }
        giveCreditBack(holder);
        return true;
    }

    void ranOut(Lease lease, long nowMillis, Effects effects) {
        end(lease);
        failed(lease, 0, LEASE_RAN_OUT, nowMillis, effects);
        giveCreditBack(lease.holder);
    }

    /** What a member of a group had not settled when it left goes to the others. */
    void holderLeft(Subscription holder, long nowMillis, Effects effects) {
        for (Lease lease : holder.leases.values().toArray(Lease[]::new)) {
            end(lease);
            failed(lease, 0, HOLDER_LEFT, nowMillis, effects);
        }
    }

    boolean hasTried(QueuedMessage message) {
        return !failed.isEmpty() && failed.containsKey(message.sequence);
    }

    /** A message that waited has ended without a delivery. */
    void forget(QueuedMessage message) {
        if (!failed.isEmpty()) {
            failed.remove(message.sequence);
        }
    }

    /** Lanes end, and all of theirs that was not settled is abandoned. */
    void abandon(List<Subscription> members, Predicate<Lane> ending) {
        for (Subscription member : members) {
            for (Lease lease : member.leases.values().toArray(Lease[]::new)) {
                if (ending.test(lease.lane)) {
                    end(lease);
                    lease.lane.channel.counts.returned++;
                    lease.lane.channel.counts.abandoned++;
                    lease.message.copyEnded();
                }
            }
        }
        for (Failed one : failed.values().toArray(Failed[]::new)) {
            if (one.isSet() && ending.test(one.lane)) {
                timers.cancel(one);
                failed.remove(one.message.sequence);
                one.lane.channel.counts.queued--;
                one.lane.channel.counts.abandoned++;
                one.message.copyEnded();
            }
        }
    }

    private void end(Lease lease) {
        timers.cancel(lease);
        lease.holder.leases.remove(lease.message.sequence);
        lease.lane.channel.counts.inFlight--;
    }

    private void acknowledged(Lease lease) {
        lease.lane.channel.counts.acknowledged++;
        lease.message.done = true;
        forget(lease.message);
        settleForGood(lease);
        lease.message.copyEnded();
    }

    private void failed(
            Lease lease, long delayMillis, String reason, long nowMillis, Effects effects) {
        int max = lease.lane.maxAttempts();
        if (max > 0 && lease.attempt >= max) {
            dead(lease, reason, effects);
            return;
        }
        lease.lane.channel.counts.returned++;
        Failed waiting =
                failed.computeIfAbsent(
                        lease.message.sequence, unused -> new Failed(lease.message, lease.lane));
        waiting.attempts = lease.attempt;
        Durable durable = lease.lane.receiver.durable;
        if (durable != null) {
            durable.failed(lease.message.channelSequence, lease.attempt, reason);
        }
        long delay =
                delayMillis == Settlement.BY_BACKOFF
                        ? lease.lane.receiver.terms().backoff().delayMillis(lease.attempt, random)
                        : delayMillis;
        if (delay == 0) {
            again(waiting);
        } else {
            lease.lane.channel.counts.queued++;
            timers.set(waiting, nowMillis + delay);
        }
    }

    private void again(Failed waiting) {
        waiting.lane.putBack(waiting.message);
        dispatcher.ready(waiting.lane);
    }

    private void dead(Lease lease, String reason, Effects effects) {
        Durable durable = lease.lane.receiver.durable;
        if (durable == null) {
            lease.lane.channel.counts.dead++;
            forget(lease.message);
            deadLetters.give(lease.message, lease.lane, reason, effects);
            lease.message.copyEnded();
            return;
        }
        // The letter is kept together with the end of what it is about, or neither is.
        Ledger ledger = durable.ledger;
        ledger.flush(effects);
        lease.lane.channel.counts.inFlight++;
        boolean written = deadLetters.give(lease.message, lease.lane, reason, effects);
        ledger.write(
                new Entry.Settled(durable.name, lease.message.channelSequence),
                Durability.DISK,
                new Burial(lease, durable));
        if (written) {
            ledger.flush(effects);
        }
    }

    /** The end of a message that was given up, once it is kept. */
    private final class Burial implements Ledger.Held {
        private final Lease lease;
        private final Durable durable;

        Burial(Lease lease, Durable durable) {
            this.lease = lease;
            this.durable = durable;
        }

        @Override
        public void kept(Effects effects) {
            Channel channel = lease.lane.channel;
            channel.counts.inFlight--;
            channel.counts.dead++;
            durable.buried(lease.message.channelSequence);
            forget(lease.message);
            lease.message.copyEnded();
            channel.madeRoom();
        }

        /** There is no room for the letter: the message is delivered once more, later. */
        @Override
        public void refused(ErrorCode code, Effects effects) {
            Channel channel = lease.lane.channel;
            channel.counts.inFlight--;
            channel.counts.returned++;
            channel.counts.queued++;
            Failed waiting =
                    failed.computeIfAbsent(
                            lease.message.sequence,
                            unused -> new Failed(lease.message, lease.lane));
            waiting.attempts = lease.attempt - 1;
            timers.set(waiting, timers.nowMillis() + REFUSED_LETTER_MILLIS);
        }
    }

    private static void settleForGood(Lease lease) {
        Durable durable = lease.lane.receiver.durable;
        if (durable != null) {
            durable.settle(lease.message.channelSequence);
            lease.lane.channel.madeRoom();
        }
    }

    private static void giveCreditBack(Subscription holder) {
        holder.grant(1);
        holder.receiver.mayTake(holder);
        holder.receiver.somethingMayGo();
    }
}
