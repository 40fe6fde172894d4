package neuralcore.journal;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** What the writing thread knows of a channel. */
final class ChannelState {
    final long id;
    final String name;
    final TreeSet<Long> priorities = new TreeSet<>();
    final List<SubscriptionState> subscriptions = new ArrayList<>();
    String config;
    Retention retention;
    boolean removed;

    /** Of the newest message; what was pruned, if there is none. */
    long lastNumber;

    long chain;

    /** Bytes of all records ever, those pruned included. */
    long bytes;

    /** Of the newest message that is gone. */
    Mark pruned;

    /** When the oldest message arrived; unknown until looked up. */
    long oldestArrivedAt = UNKNOWN;

    /** Messages up to this number are to go, whoever still wants them. */
    long purgeUpTo;

    static final long UNKNOWN = Long.MIN_VALUE;

    /** The place behind a message that is gone. */
    record Mark(long number, long sequence, long chain, long bytes) {
        static final Mark NOTHING = new Mark(0, 0, 0, 0);
    }

    ChannelState(
            long id,
            String name,
            String config,
            Retention retention,
            boolean removed,
            long purgeUpTo,
            Mark pruned) {
        this.id = id;
        this.name = name;
        this.config = config;
        this.retention = retention;
        this.removed = removed;
        this.purgeUpTo = purgeUpTo;
        this.pruned = pruned;
        this.lastNumber = pruned.number;
        this.chain = pruned.chain;
        this.bytes = pruned.bytes;
    }

    long liveRows() {
        return lastNumber - pruned.number;
    }

    long liveBytes() {
        return bytes - pruned.bytes;
    }
}
