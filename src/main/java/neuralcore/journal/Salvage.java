package neuralcore.journal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a new journal of what is whole in a damaged one, row by row, and keeps the damaged files
 * under another name. What is missing is recorded in the new one, and its numbers count as settled.
 * Nothing is thrown away. For one use by one thread.
 */
final class Salvage {
    private static final Logger log = LoggerFactory.getLogger(Salvage.class);
    private static final int ROWS = 1_000;

    private final JournalFiles files;
    private final JournalFiles fresh;
    private final State told;
    private final Checksums checksums = new Checksums();
    private final Map<Long, String> names = new HashMap<>();
    private final Map<String, Long> pruned = new HashMap<>();
    private final List<Gap> gaps = new ArrayList<>();
    private long arrivedAt;

    private record Gap(String channel, long first, long last) {}

    private Salvage(JournalFiles files, State told) {
        this.files = files;
        this.told = told;
        this.fresh = new JournalFiles(files.beside(".salvaged"));
    }

    /** Replaces a damaged journal. */
    static void run(JournalFiles files, long wallMillis) {
        try {
            HeadFile.@Nullable Head head;
            try (HeadFile file = HeadFile.open(files.head())) {
                head = file.read();
            }
            Salvage salvage = new Salvage(files, head == null ? State.NEW : head.state());
            salvage.rebuild();
            salvage.replace(wallMillis);
        } catch (SQLException e) {
            throw Sqlite.failure("Saving what is left of " + files.database(), e);
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.STORAGE_FAILED,
                    "Saving what is left of %s failed: %s".formatted(files.database(), e),
                    e);
        }
    }

    private void rebuild() throws SQLException, IOException {
        for (Path file : fresh.kept()) {
            Files.deleteIfExists(file);
        }
        PrivateFile.make(fresh.database());
        try (Connection target = Sqlite.writer(fresh.database())) {
            Schema.create(target);
            GroupWriter writer = new GroupWriter(target, () -> arrivedAt);
            if (Files.exists(files.database())) {
                try (Connection source = Sqlite.reader(files.database())) {
                    copy(source, writer);
                } catch (SQLException e) {
                    giveUp("it", e);
                }
            }
            writer.begin(true);
            for (String loss : losses(writer.contents())) {
                log.warn("{}: {}", files.database(), loss);
                writer.recordLoss(loss, 0, 0, 0);
            }
            for (Gap gap : gaps) {
                ChannelState channel = writer.contents().channels.get(gap.channel);
                if (channel != null) {
                    writer.recordLoss(
                            "Messages %d to %d of channel '%s' are lost."
                                    .formatted(gap.first, gap.last, gap.channel),
                            channel.id,
                            gap.first,
                            gap.last);
                }
            }
            writer.continueAfter(told);
            writer.commit();
            writer.checkpoint();
        }
        Backup.writeHead(fresh);
    }

    private List<String> losses(Contents found) {
        List<String> losses = new ArrayList<>();
        if (told.rows() > found.state.rows()) {
            losses.add(
                    "%d messages are lost, of those with sequence numbers up to %d."
                            .formatted(told.rows() - found.state.rows(), told.sequence()));
        }
        return losses;
    }

    private void copy(Connection source, GroupWriter writer) throws SQLException {
        List<Entry> first = new ArrayList<>();
        List<Entry> last = new ArrayList<>();
        rows(source, "channels", row -> channel(row, first));
        rows(source, "publishers", row -> publisher(row, first));
        rows(source, "losses", row -> loss(row, writer));
        writer.begin(true);
        writer.apply(first);
        writer.commit();
        messages(source, writer);
        Map<Long, DurableName> subscriptions = new HashMap<>();
        rows(source, "subscriptions", row -> subscription(row, subscriptions, last));
        settleGaps(subscriptions, last);
        rows(source, "settled", row -> settled(row, subscriptions, last));
        rows(source, "attempts", row -> attempt(row, subscriptions, last));
        rows(source, "keys", row -> key(row, last));
        writer.begin(true);
        for (Entry entry : last) {
            try {
                writer.apply(List.of(entry));
            } catch (NeuralCoreException e) {
                log.debug("Not saved: {}", entry, e); // Its channel is lost.
            }
        }
        writer.commit();
    }

    private interface Row {
        void take(ResultSet row) throws SQLException;
    }

    /** Reads a table as far as it can be read. */
    private void rows(Connection source, String table, Row take) throws SQLException {
        try (Statement statement = source.createStatement();
                ResultSet row = statement.executeQuery("SELECT * FROM " + table)) {
            while (row.next()) {
                take.take(row);
            }
        } catch (SQLException e) {
            giveUp("table " + table, e);
        }
    }

    private void giveUp(String what, SQLException e) throws SQLException {
        if (Sqlite.isFull(e)) {
            throw e;
        }
        log.warn("Not all of {} in {} can be read: {}", what, files.database(), e.getMessage());
    }

    private boolean whole(ResultSet row, Object... columns) throws SQLException {
        for (Object column : columns) {
            if (column == null) {
                return false;
            }
        }
        int crc = row.getInt(row.getMetaData().getColumnCount());
        return checksums.of(columns) == crc;
    }

    private void channel(ResultSet row, List<Entry> entries) throws SQLException {
        ChannelState channel =
                new ChannelState(
                        row.getLong(1),
                        String.valueOf(row.getString(2)),
                        String.valueOf(row.getString(3)),
                        new Retention(
                                Math.max(0, row.getLong(4)),
                                Math.max(0, row.getLong(5)),
                                Math.max(0, row.getLong(6)),
                                row.getLong(7) != 0),
                        row.getLong(8) != 0,
                        row.getLong(9),
                        new ChannelState.Mark(
                                row.getLong(10),
                                row.getLong(11),
                                row.getLong(12),
                                row.getLong(13)));
        if (whole(row, Contents.columns(channel)) && !channel.removed) {
            names.put(channel.id, channel.name);
            pruned.put(channel.name, channel.pruned.number());
            entries.add(
                    new Entry.ChannelConfigured(channel.name, channel.config, channel.retention));
        }
    }

    private void publisher(ResultSet row, List<Entry> entries) throws SQLException {
        if (whole(row, row.getLong(1), row.getLong(2), row.getLong(3))) {
            entries.add(new Entry.PublisherSeen(row.getLong(1), row.getLong(2)));
        }
    }

    private void loss(ResultSet row, GroupWriter writer) throws SQLException {
        String text = row.getString(2);
        if (text != null
                && whole(
                        row,
                        row.getLong(1),
                        text,
                        row.getLong(3),
                        row.getLong(4),
                        row.getLong(5))) {
            // Gaps are found anew.
            writer.begin(true);
            writer.recordLoss(text, 0, 0, 0);
            writer.commit();
        }
    }

    /**
     * Copies messages; where a page cannot be read, goes on behind it. It always goes on from the
     * last row that was whole, since the number of a damaged one may be any.
     */
    private void messages(Connection source, GroupWriter writer) throws SQLException {
        long last = told.sequence();
        try {
            last = Math.max(last, Sqlite.number(source, "SELECT max(sequence) FROM messages"));
        } catch (SQLException e) {
            giveUp("the newest message", e);
        }
        long step = 1;
        for (long at = 0; at < last; ) {
            long[] read = {at};
            boolean readable = true;
            boolean more = true;
            writer.begin(true);
            try {
                more = messages(source, writer, read) == ROWS;
            } catch (SQLException e) {
                if (step == 1) {
                    giveUp("messages after sequence number %d".formatted(read[0]), e);
                }
                readable = false;
            }
            writer.commit();
            if (readable && !more) {
                return;
            }
            if (readable && read[0] > at) {
                step = 1;
            } else {
                read[0] = step > last - read[0] ? last : read[0] + step;
                step = Math.min(2 * step, 1L << 40);
            }
            at = read[0];
        }
    }

    /**
     * Copies a page.
     *
     * @param at the sequence number to go on from, and then that of the last row that was whole
     * @return rows seen, whole or not
     */
    private int messages(Connection source, GroupWriter writer, long[] at) throws SQLException {
        int rows = 0;
        try (PreparedStatement select =
                source.prepareStatement(
                        "SELECT sequence, channel, priority, timestamp, record FROM messages"
                                + " NOT INDEXED WHERE sequence > ? ORDER BY sequence LIMIT ?")) {
            select.setLong(1, at[0]);
            select.setInt(2, ROWS);
            try (ResultSet row = select.executeQuery()) {
                while (row.next()) {
                    rows++;
                    long sequence = row.getLong(1);
                    if (sequence > at[0] && isWhole(row)) {
                        at[0] = sequence;
                        message(row, writer);
                    }
                }
            }
        }
        return rows;
    }

    private boolean isWhole(ResultSet row) throws SQLException {
        byte @Nullable [] record = row.getBytes(5);
        return record != null
                && record.length >= MessageRow.HEADER
                && MessageRow.crc(record)
                        == checksums.ofMessage(
                                row.getLong(1),
                                row.getLong(2),
                                row.getLong(3),
                                row.getLong(4),
                                record);
    }

    private void message(ResultSet row, GroupWriter writer) throws SQLException {
        long sequence = row.getLong(1);
        long id = row.getLong(2);
        byte[] record = row.getBytes(5);
        String name = names.computeIfAbsent(id, lost -> "recovered." + lost);
        if (!writer.contents().channels.containsKey(name)) {
            writer.apply(List.of(new Entry.ChannelConfigured(name, "{}", Retention.FOREVER)));
        }
        StoredMessage message =
                MessageRow.decode(sequence, name, row.getLong(3), row.getLong(4), record);
        ChannelState channel = writer.contents().channels.get(name);
        if (channel == null || message.number() <= channel.lastNumber) {
            return;
        }
        long expected = channel.lastNumber + 1;
        if (channel.lastNumber == 0) {
            // What was pruned is no loss.
            expected = Math.min(message.number(), pruned.getOrDefault(name, 0L) + 1);
            writer.startAt(channel, message.number(), sequence);
        }
        if (expected < message.number()) {
            gaps.add(new Gap(name, expected, message.number() - 1));
        }
        channel.lastNumber = message.number() - 1;
        arrivedAt = message.arrivedAtMillis();
        writer.apply(
                List.of(
                        new Entry.Message(
                                sequence,
                                message.envelope(),
                                message.dueAtMillis(),
                                message.expiresAtMillis())));
    }

    private void subscription(
            ResultSet row, Map<Long, DurableName> subscriptions, List<Entry> entries)
            throws SQLException {
        String name = names.get(row.getLong(2));
        String group = row.getString(3);
        String config = row.getString(4);
        if (name != null
                && group != null
                && config != null
                && whole(row, row.getLong(1), row.getLong(2), group, config, row.getLong(5))) {
            DurableName subscription = new DurableName(name, group);
            subscriptions.put(row.getLong(1), subscription);
            entries.add(new Entry.SubscriptionOpened(subscription, row.getLong(5), config));
        }
    }

    private void settleGaps(Map<Long, DurableName> subscriptions, List<Entry> entries) {
        for (DurableName subscription : subscriptions.values()) {
            for (Gap gap : gaps) {
                if (gap.channel.equals(subscription.channel())) {
                    for (long number = gap.first; number <= gap.last; number++) {
                        entries.add(new Entry.Settled(subscription, number));
                    }
                }
            }
        }
    }

    private void settled(ResultSet row, Map<Long, DurableName> subscriptions, List<Entry> entries)
            throws SQLException {
        DurableName subscription = subscriptions.get(row.getLong(1));
        long chunk = row.getLong(2);
        byte @Nullable [] bits = row.getBytes(3);
        if (subscription == null
                || bits == null
                || bits.length != AckSet.CHUNK / Byte.SIZE
                || !whole(row, row.getLong(1), chunk, bits)) {
            return;
        }
        long[] words = new long[AckSet.CHUNK / Long.SIZE];
        ByteBuffer.wrap(bits).asLongBuffer().get(words);
        AckSet acks = new AckSet(chunk * AckSet.CHUNK - 1);
        acks.restore(chunk, words);
        acks.forEachBeyond(number -> entries.add(new Entry.Settled(subscription, number)));
    }

    private void attempt(ResultSet row, Map<Long, DurableName> subscriptions, List<Entry> entries)
            throws SQLException {
        DurableName subscription = subscriptions.get(row.getLong(1));
        String reason = row.getString(4);
        if (subscription != null
                && reason != null
                && whole(row, row.getLong(1), row.getLong(2), row.getLong(3), reason)) {
            entries.add(new Entry.Attempt(subscription, row.getLong(2), row.getInt(3), reason));
        }
    }

    private void key(ResultSet row, List<Entry> entries) throws SQLException {
        String channel = names.get(row.getLong(1));
        String key = row.getString(2);
        if (channel != null
                && key != null
                && whole(
                        row, row.getLong(1), key, row.getLong(3), row.getLong(4), row.getLong(5))) {
            entries.add(
                    new Entry.KeyMarked(
                            channel, key, row.getLong(3) != 0, row.getLong(4), row.getLong(5)));
        }
    }

    /** The damaged files get another name, the new ones theirs; the head file comes last. */
    private void replace(long wallMillis) throws IOException {
        JournalFiles aside = new JournalFiles(files.beside(".damaged-" + wallMillis));
        Files.deleteIfExists(files.index());
        moveIfThere(files.head(), aside.head());
        moveIfThere(files.log(), aside.log());
        moveIfThere(files.database(), aside.database());
        Files.move(fresh.database(), files.database(), StandardCopyOption.ATOMIC_MOVE);
        Files.move(fresh.head(), files.head(), StandardCopyOption.ATOMIC_MOVE);
        Files.deleteIfExists(fresh.log());
        Files.deleteIfExists(fresh.index());
        JournalFiles.syncFolder(files.folder());
        log.warn("What was damaged is kept as {}", aside.database());
    }

    private static void moveIfThere(Path from, Path to) throws IOException {
        if (Files.exists(from)) {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        }
    }
}
