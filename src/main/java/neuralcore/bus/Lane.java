package neuralcore.bus;

import java.util.Comparator;
import neuralcore.wire.Delivery;
import org.jspecify.annotations.Nullable;

/**
 * What waits in one channel for one receiver: a queue that the channel's configuration bounds.
 * Keeps its channel's counts of copies.
 *
 * <p>Each receiver of a channel has a lane of its own, so one that is slow delays no other.
 */
final class Lane extends Source {
    final Channel channel;
    final Receiver receiver;

    private final PriorityBuckets<QueuedMessage> queue = new PriorityBuckets<>();

    /** No message queued expires before this. */
    private long earliestExpiry = QueuedMessage.NEVER;

    private long lastPushed;

    /** Those that came while there was no room, if the channel's policy is to wait for it. */
    private @Nullable Patience patience;

    /** Whether its receiver knows that something waits here. */
    boolean listed;

    Lane(Channel channel, Receiver receiver) {
        super(receiver.ordinal);
        this.channel = channel;
        this.receiver = receiver;
    }

    boolean isEmpty() {
        return queue.isEmpty();
    }

    long earliestExpiry() {
        return earliestExpiry;
    }

    /** How many more fit; {@link Integer#MAX_VALUE} if there is no bound. */
    int room() {
        int max = channel.config().maxQueueSize();
        return max <= 0
                ? Integer.MAX_VALUE
                : (int) Math.clamp(max - (queue.size() - receiver.credit()), 0, Integer.MAX_VALUE);
    }

    /**
     * Queues a copy. Returns the message whose copy had to give way: the newcomer itself, an older
     * one, or null if there was room.
     */
    @Nullable QueuedMessage offer(QueuedMessage message, long nowMillis) {
        channel.counts.copies++;
        if (!isFull(nowMillis)) {
            push(message);
            return null;
        }
        QueuedMessage displaced =
                switch (channel.config().dropPolicy()) {
                    case DROP_NEW -> message;
                    case DROP_OLD ->
                            message.envelope.priority() > queue.worstPriority()
                                    ? message
                                    : queue.evict();
                    case BLOCK -> mayPark() ? null : message;
                };
        if (displaced == null) {
            patience().park(message, nowMillis);
        }
        if (displaced != message) {
            push(message);
        }
        if (displaced != null) {
            channel.counts.dropped++;
            if (displaced != message) {
                left(displaced);
            }
        }
        return displaced;
    }

    /** As many may wait for room as the channel has places. */
    private boolean mayPark() {
        return queue.size() - receiver.credit() < 2L * channel.config().maxQueueSize();
    }

    boolean holds(QueuedMessage message) {
        return queue.holds(
                message.envelope.priority(), message.sequence, waiting -> waiting.sequence);
    }

    /** Deliveries of a message before it is given up; 0 for without limit. */
    int maxAttempts() {
        int own = receiver.terms().maxAttempts();
        return own > 0 ? own : channel.config().maxAttempts();
    }

    private Patience patience() {
        Patience known = patience;
        if (known == null) {
            known = new Patience(this);
            patience = known;
        }
        return known;
    }

    private void push(QueuedMessage message) {
        if (message.sequence > lastPushed) {
            queue.push(message.envelope.priority(), message);
            lastPushed = message.sequence;
        } else {
            // It was delayed: what came meanwhile is younger.
            queue.insert(message.envelope.priority(), message, waiting -> waiting.sequence);
        }
        message.copyMade();
        channel.counts.queued++;
        earliestExpiry = Math.min(earliestExpiry, message.expiresAtMillis);
    }

    /** Queues a copy again that had been taken, in its old place, whether there is room or not. */
    void putBack(QueuedMessage message) {
        queue.insert(message.envelope.priority(), message, waiting -> waiting.sequence);
        channel.counts.queued++;
        earliestExpiry = Math.min(earliestExpiry, message.expiresAtMillis);
    }

    private boolean isFull(long nowMillis) {
        int max = channel.config().maxQueueSize();
        if (max <= 0 || queue.size() - receiver.credit() < max) {
            return false;
        }
        return sweep(nowMillis) == 0 || queue.size() - receiver.credit() >= max;
    }

    /** Gives up a copy that has waited for room too long; false if it does not wait any more. */
    boolean giveUp(QueuedMessage message) {
        boolean waited =
                queue.remove(
                        message.envelope.priority(), message.sequence, waiting -> waiting.sequence);
        if (waited) {
            channel.counts.dropped++;
            left(message);
        }
        return waited;
    }

    /** Drops what has expired; returns how many. O(1) if nothing can have. */
    int sweep(long nowMillis) {
        if (earliestExpiry > nowMillis) {
            return 0;
        }
        earliestExpiry = QueuedMessage.NEVER;
        int expired = queue.removeIf(message -> isExpired(message, nowMillis));
        channel.counts.expired += expired;
        return expired;
    }

    private boolean isExpired(QueuedMessage message, long nowMillis) {
        if (message.expiresAtMillis <= nowMillis) {
            left(message);
            return true;
        }
        earliestExpiry = Math.min(earliestExpiry, message.expiresAtMillis);
        return false;
    }

    /** A copy left the queue and will not be delivered. */
    private void left(QueuedMessage message) {
        channel.counts.queued--;
        receiver.forget(message);
        message.copyEnded();
        madeRoom();
    }

    private void madeRoom() {
        channel.madeRoom();
        if (patience != null && room() > 0) {
            patience.roomAgain();
        }
    }

    /** Also drops what has expired before it. */
    @Override
    boolean prepare(long nowMillis) {
        while (!queue.isEmpty() && receiver.mayDeliver(nowMillis)) {
            QueuedMessage next = mostUrgent(nowMillis);
            if (next.expiresAtMillis > nowMillis) {
                head = next;
                return true;
            }
            queue.pop(next.envelope.priority());
            channel.counts.expired++;
            left(next);
        }
        head = null;
        return false;
    }

    private QueuedMessage mostUrgent(long nowMillis) {
        long step = channel.config().ageingMillis();
        if (step == 0) {
            QueuedMessage next = queue.peek();
            headPriority = next.envelope.priority();
            return next;
        }
        Comparator<QueuedMessage> byAge =
                Comparator.<QueuedMessage>comparingLong(m -> Ageing.priority(m, step, nowMillis))
                        .thenComparingLong(m -> m.sequence);
        QueuedMessage next = queue.peek(byAge);
        headPriority = Ageing.priority(next, step, nowMillis);
        return next;
    }

    @Override
    boolean mayStill(long nowMillis) {
        return receiver.mayDeliver(nowMillis);
    }

    @Override
    Delivery deliver(long nowMillis) {
        return deliver(receiver.only(), nowMillis);
    }

    /** Takes what {@link #prepare} found, for one of the receiver's members. */
    Delivery deliver(Subscription to, long nowMillis) {
        QueuedMessage message = queue.pop(headBucket());
        if (queue.isEmpty()) {
            earliestExpiry = QueuedMessage.NEVER;
        }
        channel.counts.queued--;
        channel.counts.delivered++;
        message.delivered = true;
        to.spend(nowMillis);
        int attempt = 1;
        Settlements settlements = receiver.settlements;
        if (settlements == null) {
            message.done = true;
            message.copyEnded();
        } else {
            attempt = settlements.lease(message, this, to, nowMillis);
        }
        madeRoom();
        return new Delivery(
                to.id, message.sequence, message.channelSequence, attempt, false, message.envelope);
    }

    private long headBucket() {
        QueuedMessage found = head;
        if (found == null) {
            throw new IllegalStateException("deliver() without prepare()");
        }
        return found.envelope.priority();
    }

    /** Empties the queue. */
    void abandon() {
        channel.counts.abandoned +=
                queue.removeIf(
                        message -> {
                            left(message);
                            return true;
                        });
        earliestExpiry = QueuedMessage.NEVER;
        if (patience != null) {
            patience.roomAgain();
        }
    }
}
