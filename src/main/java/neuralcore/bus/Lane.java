package neuralcore.bus;

import java.util.Comparator;
import java.util.HashSet;
import java.util.Set;
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

    /** What of it is on the disk; null if its channel is not persistent. */
    private @Nullable Backlog backlog;

    /** Whether the head is the next to be replayed. */
    private boolean headIsReplayed;

    private final Set<Later> delayed = new HashSet<>();

    /** Whether its receiver knows that something waits here. */
    boolean listed;

    Lane(Channel channel, Receiver receiver) {
        super(receiver.ordinal);
        this.channel = channel;
        this.receiver = receiver;
    }

    boolean isEmpty() {
        return queue.isEmpty() && (backlog == null || backlog.peekReplayed() == null);
    }

    // What is on the disk

    /** From now on its channel is persistent: only so much of what waits is in memory. */
    Backlog logged(Ledger ledger, Backlog.Thaw thaw, long at) {
        Backlog fresh = new Backlog(this, ledger, thaw, at);
        backlog = fresh;
        return fresh;
    }

    @Nullable Backlog backlog() {
        return backlog;
    }

    void wake() {
        if (backlog != null) {
            backlog.wake();
        }
    }

    /** A page has been read. */
    void pageCame() {
        if (backlog != null) {
            backlog.endReplayWhenDone();
        }
        if (!isEmpty()) {
            receiver.ready(this);
        }
    }

    /** So much waits on the disk already. */
    void waitsOnDisk(long messages) {
        channel.counts.copies += messages;
        channel.counts.queued += messages;
    }

    /** So much was counted that is not on the disk any more. */
    void forgetPruned(long messages) {
        channel.counts.queued -= messages;
        channel.counts.abandoned += messages;
    }

    /**
     * A message of a page comes into memory.
     *
     * @return false if it need not wait any more
     */
    boolean restore(QueuedMessage message, boolean replayed) {
        long nowMillis = receiver.timers().nowMillis();
        Subject subject = new Subject().of(message.envelope);
        if (!receiver.wants(subject) || !receiver.isExclusive() && channel.isTakenAlone(subject)) {
            channel.counts.copies--;
            channel.counts.queued--;
            receiver.unwanted(message);
            madeRoom();
            return false;
        }
        message.copyMade();
        if (message.expiresAtMillis <= nowMillis) {
            channel.counts.expired++;
            left(message);
            return false;
        }
        noteExpiry(message);
        if (message.arrivedMillis > nowMillis) {
            delayed.add(new Later(message));
            return false;
        }
        if (!replayed) {
            queue.insert(message.envelope.priority(), message, waiting -> waiting.sequence);
        }
        return true;
    }

    /** A message of a persistent channel whose time has not come. */
    private final class Later extends Timers.Timer {
        private final QueuedMessage message;

        Later(QueuedMessage message) {
            this.message = message;
            receiver.timers().set(this, message.arrivedMillis);
        }

        @Override
        void fire(long nowMillis, Effects effects) {
            delayed.remove(this);
            putBack(message);
            channel.counts.queued--;
            receiver.ready(Lane.this);
        }
    }

    private void offerLogged(Backlog disk, QueuedMessage message) {
        channel.counts.queued++;
        if (!disk.admits(message)) {
            return;
        }
        message.copyMade();
        noteExpiry(message);
        if (message.arrivedMillis > receiver.timers().nowMillis()) {
            delayed.add(new Later(message));
            return;
        }
        queue.insert(message.envelope.priority(), message, waiting -> waiting.sequence);
        disk.entered(message);
    }

    /** Messages up to a number have gone, whoever waited for them. */
    void pruned(long upToNumber) {
        if (receiver.durable != null) {
            receiver.durable.acks.raiseTo(upToNumber);
        }
        channel.counts.abandoned +=
                queue.removeIf(
                        message -> {
                            boolean gone = message.channelSequence <= upToNumber;
                            if (gone) {
                                inMemoryNoMore(message);
                                left(message);
                            }
                            return gone;
                        });
    }

    private long waiting() {
        return queue.size() + delayed.size() + (backlog == null ? 0 : backlog.onDisk());
    }

    long earliestExpiry() {
        return earliestExpiry;
    }

    /** How many more fit; {@link Integer#MAX_VALUE} if there is no bound. */
    int room() {
        int max = channel.config().maxQueueSize();
        if (max <= 0 || backlog != null && receiver.durable == null) {
            return Integer.MAX_VALUE;
        }
        return (int)
                Math.clamp(
                        max - (waiting() + channel.uncommitted - receiver.credit()),
                        0,
                        Integer.MAX_VALUE);
    }

    /**
     * Queues a copy. Returns the message whose copy had to give way: the newcomer itself, an older
     * one, or null if there was room.
     */
    @Nullable QueuedMessage offer(QueuedMessage message, long nowMillis) {
        channel.counts.copies++;
        if (backlog != null) {
            offerLogged(backlog, message);
            return null;
        }
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

    boolean isBounded() {
        return backlog == null && channel.config().maxQueueSize() > 0;
    }

    /** As many may wait for room as the channel has places. */
    boolean mayPark() {
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
        waits(message);
    }

    /** Queues a copy again that had been taken, in its old place, whether there is room or not. */
    void putBack(QueuedMessage message) {
        queue.insert(message.envelope.priority(), message, waiting -> waiting.sequence);
        waits(message);
    }

    private void waits(QueuedMessage message) {
        channel.counts.queued++;
        if (backlog != null) {
            backlog.entered(message);
        }
        noteExpiry(message);
    }

    private void noteExpiry(QueuedMessage message) {
        if (message.expiresAtMillis < earliestExpiry) {
            earliestExpiry = message.expiresAtMillis;
            channel.expiries.note(earliestExpiry);
        }
    }

    private boolean isFull(long nowMillis) {
        int max = channel.config().maxQueueSize();
        if (max <= 0 || queue.size() - receiver.credit() < max) {
            return false;
        }
        return sweep(nowMillis) == 0 || queue.size() - receiver.credit() >= max;
    }

    /**
     * Gives up a copy that has waited for room too long; false if it does not wait any more, or has
     * been delivered once.
     */
    boolean giveUp(QueuedMessage message) {
        boolean waited =
                !receiver.hasTried(message)
                        && queue.remove(
                                message.envelope.priority(),
                                message.sequence,
                                waiting -> waiting.sequence);
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
        int expired =
                queue.removeIf(message -> isExpired(message, nowMillis) && inMemoryNoMore(message));
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

    private boolean inMemoryNoMore(QueuedMessage message) {
        if (backlog != null) {
            backlog.left(message);
        }
        return true;
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
        if (patience != null && !isOver()) {
            patience.roomAgain();
        }
    }

    /** Whether more waits here than there are places for. */
    boolean isOver() {
        return queue.size() - receiver.credit() > channel.config().maxQueueSize();
    }

    /** Also drops what has expired before it. */
    @Override
    boolean prepare(long nowMillis) {
        while (!isEmpty() && receiver.mayDeliver(nowMillis)) {
            QueuedMessage next = next(nowMillis);
            if (!headIsReplayed && backlog != null && backlog.holdsBack(headPriority)) {
                break;
            }
            if (next.expiresAtMillis > nowMillis) {
                head = next;
                headSequence = next.sequence;
                return true;
            }
            pop(next);
            channel.counts.expired++;
            left(next);
        }
        head = null;
        return false;
    }

    private QueuedMessage next(long nowMillis) {
        QueuedMessage replayed = backlog == null ? null : backlog.peekReplayed();
        headIsReplayed = replayed != null;
        if (replayed != null) {
            headPriority = replayed.envelope.priority();
            return replayed;
        }
        return mostUrgent(nowMillis);
    }

    private QueuedMessage pop(QueuedMessage next) {
        if (headIsReplayed && backlog != null) {
            return backlog.pollReplayed();
        }
        QueuedMessage message = queue.pop(next.envelope.priority());
        inMemoryNoMore(message);
        return message;
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
    boolean needsRoom() {
        return true;
    }

    @Override
    Delivery deliver(long nowMillis) {
        return deliver(receiver.only(), nowMillis);
    }

    /** Takes what {@link #prepare} found, for one of the receiver's members. */
    Delivery deliver(Subscription to, long nowMillis) {
        QueuedMessage message = pop(found());
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
        Delivery delivery =
                receiver.lastLook(
                        to,
                        new Delivery(
                                to.id,
                                message.sequence,
                                message.channelSequence,
                                attempt,
                                message.replayed,
                                message.envelope));
        to.subscriber.window().take(delivery.bytes());
        return delivery;
    }

    private QueuedMessage found() {
        QueuedMessage found = head;
        if (found == null) {
            throw new IllegalStateException("deliver() without prepare()");
        }
        return found;
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
        if (backlog != null) {
            abandonLogged(backlog);
        }
        if (patience != null) {
            patience.roomAgain();
        }
    }

    private void abandonLogged(Backlog disk) {
        for (Later later : delayed) {
            receiver.timers().cancel(later);
            channel.counts.abandoned++;
            left(later.message);
        }
        delayed.clear();
        forgetPruned(disk.replaying() + disk.onDisk());
        disk.close();
    }
}
