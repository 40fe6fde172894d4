package neuralcore.journal;

import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Decides which messages are to go: those that were purged, whose channel was removed, or that a
 * {@link Retention} does not keep and nobody waits for. It goes from the oldest message on and
 * stops at the first that stays, so that a channel's numbers have no holes. Not thread-safe.
 */
final class Pruner {
    /** Messages of one transaction, so that those who publish do not wait long. */
    static final int CHUNK = 2_000;

    /** And how far they may lie apart. */
    private static final long SPAN = 200_000;

    private final GroupWriter writer;
    private final MessageTable messages;
    private final long maxBytes;
    private final long maxAgeMillis;

    Pruner(GroupWriter writer, MessageTable messages, JournalSettings settings) {
        this.writer = writer;
        this.messages = messages;
        this.maxBytes = settings.maxBytes();
        this.maxAgeMillis = settings.maxAgeMillis();
    }

    /** A channel that has something to prune, or null. */
    @Nullable ChannelState due(long now) throws SQLException {
        Contents contents = writer.contents();
        if (!contents.removed.isEmpty()) {
            return contents.removed.getFirst();
        }
        long total = 0;
        ChannelState oldest = null;
        for (ChannelState channel : contents.channels.values()) {
            if (channel.liveRows() == 0) {
                continue;
            }
            total += channel.liveBytes();
            if (channel.purgeUpTo > channel.pruned.number() || exceeds(channel, now)) {
                return channel;
            }
            if (prunable(channel) > channel.pruned.number()
                    && (oldest == null || arrivedAt(channel) < arrivedAt(oldest))) {
                oldest = channel;
            }
        }
        return maxBytes > 0 && total > maxBytes ? oldest : null;
    }

    /**
     * Prunes one chunk of it, in the transaction in hand.
     *
     * @return what is to be told after the commit
     */
    List<Pruned> prune(ChannelState channel, long now) throws SQLException {
        long excess = maxBytes == 0 ? 0 : total() - maxBytes;
        long prunable = prunable(channel);
        Chunk chunk = new Chunk(channel, now, excess, prunable);
        messages.read(
                channel.id, null, channel.pruned.sequence(), Long.MAX_VALUE, CHUNK, chunk::row);
        List<Pruned> told = new ArrayList<>();
        if (chunk.mark != null) {
            Pruned pruned = writer.prune(channel, chunk.from, chunk.mark);
            if (!channel.removed) {
                told.add(pruned);
            }
        }
        if (channel.removed && (chunk.mark == null || channel.liveRows() == 0)) {
            writer.forget(channel);
        }
        return told;
    }

    /** Which rows of a chunk go. */
    private final class Chunk {
        private final ChannelState channel;
        private final long now;
        private final long excess;
        private final long prunable;
        private long freed;
        long from;
        ChannelState.@Nullable Mark mark;

        Chunk(ChannelState channel, long now, long excess, long prunable) {
            this.channel = channel;
            this.now = now;
            this.excess = excess;
            this.prunable = prunable;
        }

        boolean row(long sequence, long priority, long timestamp, byte[] row) {
            long number = MessageRow.number(row);
            boolean goes =
                    channel.removed
                            || number <= channel.purgeUpTo
                            || number <= prunable
                                    && (freed < excess
                                            || exceeds(
                                                    channel,
                                                    now,
                                                    number,
                                                    MessageRow.bytesSoFar(row) - row.length,
                                                    MessageRow.arrivedAt(row)));
            if (mark == null) {
                from = sequence;
            }
            if (!goes || sequence - from > SPAN) {
                return false;
            }
            freed += row.length;
            mark =
                    new ChannelState.Mark(
                            number, sequence, MessageRow.chain(row), MessageRow.bytesSoFar(row));
            return true;
        }
    }

    /** The last number that no durable subscription waits for. */
    private static long prunable(ChannelState channel) {
        long prunable = channel.lastNumber;
        if (!channel.retention.pruneUnacknowledged()) {
            for (SubscriptionState subscription : channel.subscriptions) {
                prunable = Math.min(prunable, subscription.acks.floor());
            }
        }
        return prunable;
    }

    /** Whether the oldest message is one too many. */
    private boolean exceeds(ChannelState channel, long now) throws SQLException {
        Retention retention = channel.retention;
        long age = age(retention);
        return (age > 0 || retention.rows() > 0 || retention.bytes() > 0)
                && prunable(channel) > channel.pruned.number()
                && exceeds(
                        channel,
                        now,
                        channel.pruned.number() + 1,
                        channel.pruned.bytes(),
                        age > 0 ? arrivedAt(channel) : now);
    }

    private long age(Retention retention) {
        return retention.ageMillis() > 0 ? retention.ageMillis() : maxAgeMillis;
    }

    private boolean exceeds(
            ChannelState channel, long now, long number, long bytesBefore, long arrivedAt) {
        Retention retention = channel.retention;
        return retention.rows() > 0 && number <= channel.lastNumber - retention.rows()
                || retention.bytes() > 0 && channel.bytes - bytesBefore > retention.bytes()
                || age(retention) > 0 && arrivedAt < now - age(retention);
    }

    private long arrivedAt(ChannelState channel) throws SQLException {
        if (channel.oldestArrivedAt == ChannelState.UNKNOWN) {
            messages.read(
                    channel.id,
                    null,
                    channel.pruned.sequence(),
                    Long.MAX_VALUE,
                    1,
                    (sequence, priority, timestamp, row) -> {
                        channel.oldestArrivedAt = MessageRow.arrivedAt(row);
                        return false;
                    });
        }
        return channel.oldestArrivedAt;
    }

    private long total() {
        long total = 0;
        for (ChannelState channel : writer.contents().channels.values()) {
            total += channel.liveBytes();
        }
        return total;
    }
}
