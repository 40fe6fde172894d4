package neuralcore.bus;

import neuralcore.wire.Envelope;

/** A message that was taken in, one object however many subscriptions it waits for. */
class QueuedMessage {
    static final long NEVER = Long.MAX_VALUE;

    /** As publisher's connection: the bus itself. */
    static final String NOBODY = "";

    final Envelope envelope;

    /** The connection to tell if the message is lost. */
    final String publisher;

    /** The message's number in its namespace; settlements name it. */
    final long sequence;

    /** Place in its channel, from 1 without gaps. */
    final long channelSequence;

    /** When it could first be delivered. */
    final long arrivedMillis;

    final long expiresAtMillis;

    /** Whether it comes from the journal's past, in the order in which it was kept. */
    boolean replayed;

    /** Copies that wait, are leased, or wait for another attempt. */
    private int copies;

    /** Whether a copy has been delivered. */
    boolean delivered;

    /** Whether a copy has reached its end: acknowledged, or delivered where nobody acknowledges. */
    boolean done;

    QueuedMessage(
            Envelope envelope,
            String publisher,
            long sequence,
            long channelSequence,
            long arrivedMillis,
            long expiresAtMillis) {
        this.envelope = envelope;
        this.publisher = publisher;
        this.sequence = sequence;
        this.channelSequence = channelSequence;
        this.arrivedMillis = arrivedMillis;
        this.expiresAtMillis = expiresAtMillis;
    }

    final void copyMade() {
        copies++;
    }

    /** A copy was delivered for good, given up, or abandoned. */
    final void copyEnded() {
        if (--copies == 0) {
            ended();
        }
    }

    /** Whether no subscription has got it or still may. */
    final boolean lost() {
        return copies == 0 && !delivered;
    }

    /** Tells its publisher that it was lost after all. */
    final void tellEvicted(Effects effects) {
        if (!publisher.equals(NOBODY)) {
            effects.evicted(publisher, envelope.sequence());
        }
    }

    /** There is no copy any more. */
    void ended() {}
}
