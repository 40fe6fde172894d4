package neuralcore.bus;

import neuralcore.wire.Envelope;

/** A message that waits, one object however many subscriptions it waits for. */
final class QueuedMessage {
    static final long NEVER = Long.MAX_VALUE;

    final Envelope envelope;

    /** The connection to tell if the message is lost. */
    final String publisher;

    /** Place among all messages of the namespace. */
    final long arrival;

    /** Place in its channel, from 1 without gaps. */
    final long channelSequence;

    final long expiresAtMillis;

    /** Copies that wait. */
    int copies;

    /** Whether a copy has been delivered. */
    boolean delivered;

    QueuedMessage(
            Envelope envelope,
            String publisher,
            long arrival,
            long channelSequence,
            long nowMillis) {
        this.envelope = envelope;
        this.publisher = publisher;
        this.arrival = arrival;
        this.channelSequence = channelSequence;
        this.expiresAtMillis = envelope.ttlMillis() == 0 ? NEVER : nowMillis + envelope.ttlMillis();
    }

    /** Whether no subscription has got it or still may. */
    boolean lost() {
        return copies == 0 && !delivered;
    }
}
