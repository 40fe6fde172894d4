package neuralcore.journal;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Checks messages in the order of their sequence numbers: each row's checksum, that a channel's
 * numbers have no hole that is not accounted for, that the chain fits, and that the index has the
 * same rows. Not thread-safe.
 */
final class RowCheck {
    /** What is known of a channel's last row. */
    private record Last(long number, long chain) {}

    private record Indexed(long channel, long priority) {}

    private final Connection connection;
    private final LongUnaryOperator prunedUpTo;
    private final Checksums checksums = new Checksums();
    private final Map<Long, Last> channels = new HashMap<>();
    private final Map<Long, TreeMap<Long, Long>> gaps = new HashMap<>();
    private final Map<Indexed, Long> counts = new HashMap<>();
    private @Nullable String damage;

    /**
     * @param prunedUpTo the last number of a channel, by its id, that is gone by now; asked again
     *     and again
     */
    RowCheck(Connection connection, LongUnaryOperator prunedUpTo) throws SQLException {
        this.connection = connection;
        this.prunedUpTo = prunedUpTo;
        try (PreparedStatement select =
                        connection.prepareStatement("SELECT channel, first, last FROM losses");
                ResultSet row = select.executeQuery()) {
            while (row.next()) {
                gaps.computeIfAbsent(row.getLong(1), channel -> new TreeMap<>())
                        .put(row.getLong(2), row.getLong(3));
            }
        }
    }

    /** Expects a channel's next message after this one. */
    void expect(long channel, long number, long chain) {
        channels.put(channel, new Last(number, chain));
    }

    /** The number of the last row seen of a channel, or what was expected; 0 if none. */
    long lastNumber(long channel) {
        Last last = channels.get(channel);
        return last == null ? 0 : last.number;
    }

    /** What is wrong, or null. */
    @Nullable String damage() {
        return damage;
    }

    /**
     * Checks at most {@code limit} rows in (after, upTo].
     *
     * @return the last sequence number checked, {@code upTo} if there are no more
     */
    long check(long after, long upTo, int limit) throws SQLException {
        counts.clear();
        long last = after;
        int rows = 0;
        try (PreparedStatement select =
                connection.prepareStatement(
                        "SELECT sequence, channel, priority, timestamp, record FROM messages"
                                + " WHERE sequence > ? AND sequence <= ?"
                                + " ORDER BY sequence LIMIT ?")) {
            select.setLong(1, after);
            select.setLong(2, upTo);
            select.setInt(3, limit);
            try (ResultSet row = select.executeQuery()) {
                while (damage == null && row.next()) {
                    rows++;
                    last = row.getLong(1);
                    check(last, row.getLong(2), row.getLong(3), row.getLong(4), row.getBytes(5));
                }
            }
        }
        long end = rows < limit ? upTo : last;
        if (damage == null) {
            checkIndex(after, end);
        }
        return end;
    }

    private void check(
            long sequence, long channel, long priority, long timestamp, byte @Nullable [] row) {
        if (row == null
                || row.length < MessageRow.HEADER
                || MessageRow.crc(row)
                        != checksums.ofMessage(sequence, channel, priority, timestamp, row)) {
            damage =
                    "the message with sequence number %d is not what was written"
                            .formatted(sequence);
            return;
        }
        counts.merge(new Indexed(channel, priority), 1L, Long::sum);
        long number = MessageRow.number(row);
        Last before = channels.put(channel, new Last(number, MessageRow.chain(row)));
        if (before == null) {
            return;
        }
        if (number == before.number + 1) {
            if (Checksums.chain(before.chain, MessageRow.crc(row)) != MessageRow.chain(row)) {
                damage =
                        "the message with sequence number %d does not belong after the one before"
                                .formatted(sequence);
            }
        } else if (!isAccountedFor(channel, before.number + 1, number - 1)) {
            damage =
                    "messages %d to %d of channel %d are missing before sequence number %d"
                            .formatted(before.number + 1, number - 1, channel, sequence);
        }
    }

    /** Whether the rows that are missing were pruned, or accepted as lost. */
    boolean isAccountedFor(long channel, long first, long last) {
        long next = Math.max(first, prunedUpTo.applyAsLong(channel) + 1);
        TreeMap<Long, Long> lost = gaps.get(channel);
        while (next <= last) {
            Map.Entry<Long, Long> gap = lost == null ? null : lost.floorEntry(next);
            if (gap == null || gap.getValue() < next) {
                return false;
            }
            next = gap.getValue() + 1;
        }
        return true;
    }

    private void checkIndex(long after, long upTo) throws SQLException {
        try (PreparedStatement count =
                connection.prepareStatement(
                        "SELECT count(*) FROM messages INDEXED BY messages_by_priority WHERE"
                                + " channel = ? AND priority = ? AND sequence > ?"
                                + " AND sequence <= ?")) {
            for (Map.Entry<Indexed, Long> rows : counts.entrySet()) {
                count.setLong(1, rows.getKey().channel());
                count.setLong(2, rows.getKey().priority());
                count.setLong(3, after);
                count.setLong(4, upTo);
                try (ResultSet result = count.executeQuery()) {
                    if (!result.next() || result.getLong(1) != rows.getValue()) {
                        damage =
                                "the index misses messages between sequence numbers %d and %d"
                                        .formatted(after, upTo);
                        return;
                    }
                }
            }
        }
    }
}
