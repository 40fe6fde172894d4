package neuralcore.journal;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Reads committed messages over a connection of its own, and checks each row before it gives it
 * away. Thread-safe: one reading at a time.
 */
final class PageReader implements AutoCloseable {
    private final Connection connection;
    private final MessageTable messages;
    private final PreparedStatement pruned;
    private final Checksums checksums = new Checksums();

    PageReader(Path database) throws SQLException {
        connection = Sqlite.reader(database);
        messages = new MessageTable(connection);
        pruned =
                connection.prepareStatement(
                        "SELECT pruned_sequence, pruned_number FROM channels WHERE id = ?");
    }

    synchronized Page page(long channel, PageRequest request) throws SQLException {
        Rows rows = new Rows(channel, request);
        long upTo =
                messages.read(
                        channel,
                        request.priority(),
                        request.afterSequence(),
                        request.upToSequence(),
                        request.maxRows(),
                        rows);
        return new Page(rows.messages, upTo);
    }

    /** Checks rows and gathers them. */
    private final class Rows implements MessageTable.Sink {
        private final long channel;
        private final PageRequest request;
        private long bytes;
        final List<StoredMessage> messages = new ArrayList<>();

        Rows(long channel, PageRequest request) {
            this.channel = channel;
            this.request = request;
        }

        @Override
        public boolean row(long sequence, long priority, long timestamp, byte[] row) {
            check(channel, sequence, priority, timestamp, row);
            messages.add(MessageRow.decode(sequence, request.channel(), priority, timestamp, row));
            bytes += row.length - MessageRow.HEADER;
            return bytes < request.maxBytes();
        }
    }

    synchronized Position locate(long channel, StartAt start) throws SQLException {
        Position beginning = beginning(channel);
        long newest = messages.last(channel, messages.priorities(channel));
        if (newest == MessageTable.NONE) {
            return beginning;
        }
        Position end = new Position(newest, MessageRow.number(row(channel, newest - 1)));
        return switch (start) {
            case StartAt.First _ -> beginning;
            case StartAt.New _ -> end;
            case StartAt.Last last ->
                    after(channel, beginning, end, end.afterNumber() - last.messages());
            case StartAt.AfterNumber after -> after(channel, beginning, end, after.number());
            case StartAt.AfterSequence after -> {
                if (after.sequence() >= end.afterSequence()) {
                    yield end;
                }
                if (after.sequence() <= beginning.afterSequence()) {
                    yield beginning;
                }
                yield new Position(
                        after.sequence(), MessageRow.number(row(channel, after.sequence())) - 1);
            }
            case StartAt.Since since ->
                    before(
                            channel,
                            beginning,
                            end,
                            row -> MessageRow.arrivedAt(row) >= since.epochMillis());
        };
    }

    private Position after(long channel, Position beginning, Position end, long number)
            throws SQLException {
        return number <= beginning.afterNumber()
                ? beginning
                : before(channel, beginning, end, row -> MessageRow.number(row) > number);
    }

    private interface Test {
        boolean holds(byte[] row);
    }

    /** The place before the first message that it holds for; it holds for all after that. */
    private Position before(long channel, Position from, Position to, Test test)
            throws SQLException {
        long low = from.afterSequence();
        long high = to.afterSequence();
        while (low < high) {
            long middle = low + (high - low) / 2;
            if (test.holds(row(channel, middle))) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return high == to.afterSequence()
                ? to
                : new Position(high, MessageRow.number(row(channel, high)) - 1);
    }

    /** The first message of a channel after a sequence number; there must be one. */
    private byte[] row(long channel, long after) throws SQLException {
        byte[][] found = new byte[1][];
        messages.read(
                channel,
                null,
                after,
                Long.MAX_VALUE,
                1,
                (sequence, priority, timestamp, row) -> {
                    check(channel, sequence, priority, timestamp, row);
                    found[0] = row;
                    return false;
                });
        if (found[0] == null) {
            throw new NeuralCoreException(
                    ErrorCode.DATA_DAMAGED,
                    "messages after sequence number %d are missing".formatted(after));
        }
        return found[0];
    }

    private Position beginning(long channel) throws SQLException {
        pruned.setLong(1, channel);
        try (ResultSet row = pruned.executeQuery()) {
            return row.next() ? new Position(row.getLong(1), row.getLong(2)) : new Position(0, 0);
        }
    }

    private void check(
            long channel, long sequence, long priority, long timestamp, byte @Nullable [] row) {
        if (row == null
                || row.length < MessageRow.HEADER
                || MessageRow.crc(row)
                        != checksums.ofMessage(sequence, channel, priority, timestamp, row)) {
            throw new NeuralCoreException(
                    ErrorCode.DATA_DAMAGED,
                    "the message with sequence number %d is not what was written"
                            .formatted(sequence));
        }
    }

    @Override
    public synchronized void close() throws SQLException {
        messages.close();
        pruned.close();
        connection.close();
    }
}
