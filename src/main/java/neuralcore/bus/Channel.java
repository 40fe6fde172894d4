package neuralcore.bus;

import java.util.ArrayList;
import java.util.List;

/** A channel of one namespace: who subscribes to it, its numbering and its counts. */
final class Channel {
    final List<Subscription> subscriptions = new ArrayList<>();
    final Counts counts = new Counts();

    private ChannelConfig config;
    private boolean onDemand;
    private long lastSequence;
    private long lastUsedMillis;

    Channel(ChannelConfig config, boolean onDemand) {
        this.config = config;
        this.onDemand = onDemand;
    }

    ChannelConfig config() {
        return config;
    }

    /**
     * Gives a channel that was made on demand the configuration it lacked; false if it had been
     * created with one.
     */
    boolean configure(ChannelConfig explicit) {
        if (!onDemand) {
            return false;
        }
        config = explicit;
        onDemand = false;
        return true;
    }

    long nextSequence() {
        return lastSequence + 1;
    }

    /** The message that was given {@link #nextSequence} has been accepted. */
    void advance() {
        lastSequence++;
    }

    void used(long nowMillis) {
        lastUsedMillis = nowMillis;
    }

    boolean isIdle(long sinceMillis) {
        return onDemand && subscriptions.isEmpty() && lastUsedMillis <= sinceMillis;
    }

    void add(Subscription subscription) {
        subscriptions.add(subscription);
        counts.subscriptions++;
    }

    /** Ends a subscription, and what waited for it is abandoned. */
    void remove(Subscription subscription) {
        subscriptions.remove(subscription);
        counts.subscriptions--;
        int waiting = subscription.abandon();
        counts.abandoned += waiting;
        counts.queued -= waiting;
    }
}
