package neuralcore.bus;

import java.util.Comparator;
import neuralcore.wire.Delivery;
import org.jspecify.annotations.Nullable;

/**
 * One subscription: its queue, and how much of it may be delivered. Keeps its channel's counts of
 * copies.
 */
final class Subscription {
    /** By what each would deliver next; both must have a {@link #head}. */
    static final Comparator<Subscription> MOST_URGENT_FIRST = Subscription::compareHeads;

    final int id;
    final Subscriber subscriber;
    final Channel channel;

    /** Breaks the tie between two subscriptions of one connection to one channel. */
    private final long ordinal;

    private final PriorityBuckets<QueuedMessage> queue = new PriorityBuckets<>();
    private long credit;

    /** No message queued expires before this. */
    private long earliestExpiry = QueuedMessage.NEVER;

    /** What {@link #prepare} found; only valid until the queue changes. */
    private @Nullable QueuedMessage head;

    /** Whether it is in its subscriber's list of those that may deliver. */
    boolean ready;

    Subscription(int id, Subscriber subscriber, Channel channel, long ordinal, long credit) {
        this.id = id;
        this.subscriber = subscriber;
        this.channel = channel;
        this.ordinal = ordinal;
        this.credit = credit;
    }

    void grant(int messages) {
        credit = Math.min(credit + Math.max(messages, 0), Integer.MAX_VALUE);
    }

    boolean mayDeliver() {
        return credit > 0 && !queue.isEmpty();
    }

    long earliestExpiry() {
        return earliestExpiry;
    }

    /**
     * Queues a copy. Returns the message whose copy had to give way: the newcomer itself, an older
     * one, or null if there was room.
     */
    @Nullable QueuedMessage offer(QueuedMessage message, long nowMillis) {
        channel.counts.copies++;
        QueuedMessage displaced = null;
        if (isFull(nowMillis)) {
            channel.counts.dropped++;
            displaced =
                    switch (channel.config().dropPolicy()) {
                        case DROP_NEW -> message;
                        case DROP_OLD ->
                                message.envelope.priority() > queue.worstPriority()
                                        ? message
                                        : queue.evict();
                    };
            if (displaced == message) {
                return message;
            }
            displaced.copies--;
            channel.counts.queued--;
        }
        queue.push(message.envelope.priority(), message);
        message.copies++;
        channel.counts.queued++;
        earliestExpiry = Math.min(earliestExpiry, message.expiresAtMillis);
        return displaced;
    }

    private boolean isFull(long nowMillis) {
        int max = channel.config().maxQueueSize();
        if (max <= 0 || queue.size() - credit < max) {
            return false;
        }
        return sweep(nowMillis) == 0 || queue.size() - credit >= max;
    }

    /** Drops what has expired; returns how many. O(1) if nothing can have. */
    int sweep(long nowMillis) {
        if (earliestExpiry > nowMillis) {
            return 0;
        }
        earliestExpiry = QueuedMessage.NEVER;
        int expired = queue.removeIf(message -> isExpired(message, nowMillis));
        channel.counts.expired += expired;
        channel.counts.queued -= expired;
        return expired;
    }

    private boolean isExpired(QueuedMessage message, long nowMillis) {
        if (message.expiresAtMillis <= nowMillis) {
            message.copies--;
            return true;
        }
        earliestExpiry = Math.min(earliestExpiry, message.expiresAtMillis);
        return false;
    }

    /**
     * Finds what {@link #deliver} would hand out next, dropping what has expired before it; false
     * if there is nothing, or no credit.
     */
    boolean prepare(long nowMillis) {
        while (mayDeliver()) {
            QueuedMessage next = queue.peek();
            if (next.expiresAtMillis > nowMillis) {
                head = next;
                return true;
            }
            take();
            channel.counts.expired++;
        }
        head = null;
        return false;
    }

    /** Takes what {@link #prepare} found. */
    Delivery deliver() {
        QueuedMessage message = take();
        message.delivered = true;
        credit--;
        channel.counts.delivered++;
        return new Delivery(
                id, message.arrival, message.channelSequence, 1, false, message.envelope);
    }

    private QueuedMessage take() {
        QueuedMessage message = queue.pop();
        message.copies--;
        channel.counts.queued--;
        if (queue.isEmpty()) {
            earliestExpiry = QueuedMessage.NEVER;
        }
        return message;
    }

    /** Empties the queue; returns how many waited. */
    int abandon() {
        credit = 0;
        int waiting =
                queue.removeIf(
                        message -> {
                            message.copies--;
                            return true;
                        });
        earliestExpiry = QueuedMessage.NEVER;
        return waiting;
    }

    static boolean isBefore(Subscription a, Subscription b) {
        return compareHeads(a, b) < 0;
    }

    private static int compareHeads(Subscription a, Subscription b) {
        QueuedMessage x = a.head;
        QueuedMessage y = b.head;
        if (x == null || y == null) {
            throw new IllegalStateException("a subscription was compared before prepare()");
        }
        int byPriority = Long.compare(x.envelope.priority(), y.envelope.priority());
        if (byPriority != 0) {
            return byPriority;
        }
        int byArrival = Long.compare(x.arrival, y.arrival);
        return byArrival != 0 ? byArrival : Long.compare(a.ordinal, b.ordinal);
    }
}
