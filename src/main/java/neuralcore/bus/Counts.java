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
                subscriptions);
    }
}
