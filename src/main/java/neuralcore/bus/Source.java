package neuralcore.bus;

import java.util.Comparator;
import neuralcore.wire.Delivery;
import org.jspecify.annotations.Nullable;

/**
 * Where a connection's next delivery may come from. A connection has several, and takes each time
 * from the one whose head is the most urgent, then the oldest.
 */
abstract sealed class Source permits Lane, HandedOut {
    /** By what each would deliver next; both must be prepared. */
    static final Comparator<Source> MOST_URGENT_FIRST = Source::compareHeads;

    /** Breaks the tie between two subscriptions of one connection to one channel. */
    private final long ordinal;

    /** What {@link #prepare} found; only valid until the source changes. */
    @Nullable QueuedMessage head;

    /** How urgent the head is by now. */
    long headPriority;

    /** The head's number; here, so that comparing sources touches no messages. */
    long headSequence;

    /** Whether it is in its subscriber's list of those that may deliver. */
    boolean ready;

    Source(long ordinal) {
        this.ordinal = ordinal;
    }

    /** Finds what {@link #deliver} would hand out next; false if there is nothing, or no leave. */
    abstract boolean prepare(long nowMillis);

    /** Whether what was prepared may still be delivered, after others have been. */
    abstract boolean mayStill(long nowMillis);

    /** Whether what it delivers still has to find room in the connection's window. */
    abstract boolean needsRoom();

    /** Takes what {@link #prepare} found. */
    abstract Delivery deliver(long nowMillis);

    static boolean isBefore(Source a, Source b) {
        return compareHeads(a, b) < 0;
    }

    private static int compareHeads(Source a, Source b) {
        int byPriority = Long.compare(a.headPriority, b.headPriority);
        if (byPriority != 0) {
            return byPriority;
        }
        int bySequence = Long.compare(a.headSequence, b.headSequence);
        return bySequence != 0 ? bySequence : Long.compare(a.ordinal, b.ordinal);
    }
}
