package neuralcore.journal;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Finds and reads rows of {@code messages}. Rows that lie together are read by one scan (0.5 µs
 * each), rows far apart by a search in the index for each. Not thread-safe.
 */
final class MessageTable implements AutoCloseable {
    /** No such message. */
    static final long NONE = -1;

    private final PreparedStatement nextPriority;
    private final PreparedStatement firstAfter;
    private final PreparedStatement lastOf;
    private final PreparedStatement scan;

    /** Takes a row; false ends the reading. */
    interface Sink {
        boolean row(long sequence, long priority, long timestamp, byte[] record);
    }

    MessageTable(Connection connection) throws SQLException {
        nextPriority =
                connection.prepareStatement(
                        "SELECT priority FROM messages INDEXED BY messages_by_priority"
                                + " WHERE channel = ? AND priority > ? ORDER BY priority LIMIT 1");
        firstAfter =
                connection.prepareStatement(
                        "SELECT sequence FROM messages INDEXED BY messages_by_priority WHERE"
                                + " channel = ? AND priority = ? AND sequence > ?"
                                + " ORDER BY sequence LIMIT 1");
        lastOf =
                connection.prepareStatement(
                        "SELECT sequence FROM messages INDEXED BY messages_by_priority WHERE"
                                + " channel = ? AND priority = ? ORDER BY sequence DESC LIMIT 1");
        scan =
                connection.prepareStatement(
                        "SELECT sequence, priority, timestamp, record FROM messages NOT INDEXED"
                                + " WHERE sequence > ? AND sequence <= ? AND channel = ?"
                                + " AND (? OR priority = ?) ORDER BY sequence LIMIT ?");
    }

    /** The priorities of a channel's messages, ascending; one search each. */
    TreeSet<Long> priorities(long channel) throws SQLException {
        TreeSet<Long> priorities = new TreeSet<>();
        long after = Long.MIN_VALUE;
        while (true) {
            nextPriority.setLong(1, channel);
            nextPriority.setLong(2, after);
            try (ResultSet result = nextPriority.executeQuery()) {
                if (!result.next()) {
                    return priorities;
                }
                after = result.getLong(1);
            }
            priorities.add(after);
        }
    }

    /** The first message of a channel and one of these priorities after a sequence number. */
    long first(long channel, Collection<Long> priorities, long after) throws SQLException {
        long first = NONE;
        for (long priority : priorities) {
            firstAfter.setLong(1, channel);
            firstAfter.setLong(2, priority);
            firstAfter.setLong(3, after);
            try (ResultSet result = firstAfter.executeQuery()) {
                if (result.next() && (first == NONE || result.getLong(1) < first)) {
                    first = result.getLong(1);
                }
            }
        }
        return first;
    }

    long last(long channel, Collection<Long> priorities) throws SQLException {
        long last = NONE;
        for (long priority : priorities) {
            lastOf.setLong(1, channel);
            lastOf.setLong(2, priority);
            try (ResultSet result = lastOf.executeQuery()) {
                if (result.next()) {
                    last = Math.max(last, result.getLong(1));
                }
            }
        }
        return last;
    }

    /** Reads the rows of a channel in (after, upTo]; returns how many it gave away. */
    int range(long channel, @Nullable Long priority, long after, long upTo, int limit, Sink sink)
            throws SQLException {
        scan.setLong(1, after);
        scan.setLong(2, upTo);
        scan.setLong(3, channel);
        scan.setBoolean(4, priority == null);
        scan.setLong(5, priority == null ? 0 : priority);
        scan.setInt(6, limit);
        int rows = 0;
        try (ResultSet result = scan.executeQuery()) {
            while (result.next()) {
                rows++;
                if (!sink.row(
                        result.getLong(1),
                        result.getLong(2),
                        result.getLong(3),
                        result.getBytes(4))) {
                    break;
                }
            }
        }
        return rows;
    }

    /**
     * Reads at most {@code limit} rows of a channel in (after, upTo], however far apart they lie.
     *
     * @return the last sequence number looked at: {@code upTo}, or less if the limit or the sink
     *     ended it
     */
    long read(long channel, @Nullable Long priority, long after, long upTo, int limit, Sink sink)
            throws SQLException {
        Collection<Long> priorities = priority == null ? priorities(channel) : List.of(priority);
        Progress progress = new Progress(sink);
        int left = limit;
        long width = 4L * limit;
        long at = after;
        while (left > 0 && at < upTo) {
            long first = first(channel, priorities, at);
            if (first == NONE || first > upTo) {
                return upTo;
            }
            long end = width < upTo - first ? first + width - 1 : upTo;
            int rows = range(channel, priority, first - 1, end, left, progress);
            left -= rows;
            if (left == 0 || progress.ended) {
                return progress.last;
            }
            at = end;
            // Sparse rows are searched for one by one, dense ones read in one go.
            width = Math.clamp(rows * 32L, 1, 4L * limit);
        }
        return at;
    }

    private static final class Progress implements Sink {
        private final Sink sink;
        long last;
        boolean ended;

        Progress(Sink sink) {
            this.sink = sink;
        }

        @Override
        public boolean row(long sequence, long priority, long timestamp, byte[] record) {
            last = sequence;
            ended = !sink.row(sequence, priority, timestamp, record);
            return !ended;
        }
    }

    @Override
    public void close() throws SQLException {
        nextPriority.close();
        firstAfter.close();
        lastOf.close();
        scan.close();
    }
}
