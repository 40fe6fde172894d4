package neuralcore.bus;

/** {@link ChannelStats} while they are being counted. */
final class Counts {
    long published;
    long copies;
    long delivered;
    long dropped;
    long expired;
    long abandoned;
    long unrouted;
    long queued;
    long subscriptions;
    long acknowledged;
    long returned;
    long dead;
    long inFlight;
    long delayed;
    long duplicates;
    long limited;
    long pruned;
    long prunedUnacknowledged;

    void add(Counts other) {
        published += other.published;
        copies += other.copies;
        delivered += other.delivered;
        dropped += other.dropped;
        expired += other.expired;
        abandoned += other.abandoned;
        unrouted += other.unrouted;
        queued += other.queued;
        subscriptions += other.subscriptions;
        acknowledged += other.acknowledged;
        returned += other.returned;
        dead += other.dead;
        inFlight += other.inFlight;
        delayed += other.delayed;
        duplicates += other.duplicates;
        limited += other.limited;
        pruned += other.pruned;
        prunedUnacknowledged += other.prunedUnacknowledged;
    }

    ChannelStats snapshot() {
        return new ChannelStats(
                published,
                copies,
                delivered,
                dropped,
                expired,
                abandoned,
                unrouted,
                queued,
                subscriptions,
                acknowledged,
                returned,
                dead,
                inFlight,
                delayed,
                duplicates,
                limited,
                pruned,
                prunedUnacknowledged);
    }
}
