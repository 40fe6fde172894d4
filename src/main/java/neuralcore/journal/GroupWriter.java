package neuralcore.journal;

import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.LongSupplier;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Turns groups of entries into one transaction.
 *
 * <p>Messages become one row each, by a statement prepared once and run over the whole batch: 2 to
 * 3 µs a row. What is settled becomes bits in memory, and each chunk of 4,096 that changed one row
 * when the transaction ends; so do the publishers' numbers. Not thread-safe.
 *
 * <p>An exception leaves the transaction open and {@link #contents} ahead of it: roll back, and
 * {@link #reload}.
 */
final class GroupWriter {
    private final Connection connection;
    private final LongSupplier wallMillis;
    private final Checksums checksums = new Checksums();
    private final Statement control;
    private final PreparedStatement insertMessage;
    private final PreparedStatement writeState;
    private final PreparedStatement writeFloor;
    private final PreparedStatement writeChunk;
    private final PreparedStatement dropChunks;
    private final PreparedStatement writeAttempt;
    private final PreparedStatement dropAttempt;
    private final PreparedStatement writeKey;
    private final PreparedStatement dropKey;
    private final PreparedStatement writePublisher;
    private final Set<SubscriptionState> changed = new LinkedHashSet<>();
    private final Set<Long> publishers = new HashSet<>();
    private Contents contents;
    private boolean synced = true;

    /** Whether channels came or went since somebody asked. */
    private boolean channelsChanged = true;

    private int messages;
    private long commits;
    private long rows;
    private long sequence;
    private long chain;

    GroupWriter(Connection connection, LongSupplier wallMillis) throws SQLException {
        this.connection = connection;
        this.wallMillis = wallMillis;
        control = connection.createStatement();
        insertMessage = connection.prepareStatement("INSERT INTO messages VALUES (?, ?, ?, ?, ?)");
        writeState =
                connection.prepareStatement(
                        "UPDATE state SET commits = ?, rows = ?, sequence = ?, chain = ?, crc = ?");
        writeFloor =
                connection.prepareStatement(
                        "UPDATE subscriptions SET floor = ?, crc = ? WHERE id = ?");
        writeChunk =
                connection.prepareStatement("INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?)");
        dropChunks =
                connection.prepareStatement(
                        "DELETE FROM settled WHERE subscription = ? AND chunk < ?");
        writeAttempt =
                connection.prepareStatement(
                        "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?)");
        dropAttempt =
                connection.prepareStatement(
                        "DELETE FROM attempts WHERE subscription = ? AND number = ?");
        writeKey =
                connection.prepareStatement(
                        "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?)");
        dropKey = connection.prepareStatement("DELETE FROM keys WHERE channel = ? AND name = ?");
        writePublisher =
                connection.prepareStatement(
                        "INSERT OR REPLACE INTO publishers VALUES (?, ?, ?, ?)");
        contents = Contents.read(connection);
        adopt();
    }

    Contents contents() {
        return contents;
    }

    boolean channelsChanged() {
        boolean was = channelsChanged;
        channelsChanged = false;
        return was;
    }

    /** As of the last commit. */
    State state() {
        return contents.state;
    }

    void reload() throws SQLException {
        contents = Contents.read(connection);
        channelsChanged = true;
        adopt();
    }

    private void adopt() throws SQLException {
        State state = contents.state;
        commits = state.commits();
        rows = state.rows();
        sequence = state.sequence();
        chain = state.chain();
        changed.clear();
        publishers.clear();
        if (messages > 0) {
            insertMessage.clearBatch();
            messages = 0;
        }
    }

    /**
     * @param disk whether the commit waits for the disk
     */
    void begin(boolean disk) throws SQLException {
        if (disk != synced) {
            control.execute(disk ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
            synced = disk;
        }
        control.execute("BEGIN IMMEDIATE");
    }

    void rollback() {
        try {
            control.execute("ROLLBACK");
        } catch (SQLException e) {
            // SQLite has done so itself.
        }
    }

    void commit() throws SQLException {
        flushMessages();
        for (SubscriptionState subscription : changed) {
            flush(subscription);
        }
        changed.clear();
        flushPublishers();
        State next = new State(commits + 1, rows, sequence, chain);
        writeState.setLong(1, next.commits());
        writeState.setLong(2, next.rows());
        writeState.setLong(3, next.sequence());
        writeState.setLong(4, next.chain());
        writeState.setLong(
                5,
                checksums.of(
                        contents.id, next.commits(), next.rows(), next.sequence(), next.chain()));
        writeState.executeUpdate();
        control.execute("COMMIT");
        contents.state = next;
        commits = next.commits();
    }

    /**
     * Copies all committed pages into the database proper, as far as no reader is in the way.
     *
     * <p>Its row is read to the end. Until then SQLite counts it as a statement that writes, and
     * refuses to end the transaction that the driver makes around the next one.
     */
    void checkpoint() throws SQLException {
        Sqlite.number(connection, "PRAGMA wal_checkpoint(PASSIVE)");
    }

    void apply(List<Entry> group) throws SQLException {
        for (Entry entry : group) {
            switch (entry) {
                case Entry.Message message -> message(message);
                case Entry.Settled settled -> settled(settled);
                case Entry.Attempt attempt -> attempt(attempt);
                case Entry.SubscriptionOpened opened -> opened(opened);
                case Entry.SubscriptionEnded ended -> ended(ended.subscription());
                case Entry.ChannelConfigured configured -> configured(configured);
                case Entry.ChannelRemoved gone -> removed(gone);
                case Entry.KeyMarked key -> key(key);
                case Entry.KeyReleased key -> key(key);
                case Entry.PublisherSeen seen -> seen(seen);
                case Entry.Purged purged -> purged(purged);
            }
        }
    }

    private void message(Entry.Message message) throws SQLException {
        ChannelState channel = channel(message.envelope().channel());
        if (message.sequence() <= sequence) {
            throw new IllegalArgumentException(
                    "Sequence %d after %d.".formatted(message.sequence(), sequence));
        }
        sequence = message.sequence();
        long arrivedAt = Math.max(wallMillis.getAsLong(), contents.lastArrivedAt);
        contents.lastArrivedAt = arrivedAt;
        long priority = message.envelope().priority();
        long timestamp = message.envelope().timestampNanos();
        byte[] row = MessageRow.encode(message, channel.lastNumber + 1, channel.bytes, arrivedAt);
        int crc = checksums.ofMessage(sequence, channel.id, priority, timestamp, row);
        channel.lastNumber++;
        channel.bytes += row.length;
        channel.chain = Checksums.chain(channel.chain, crc);
        channel.priorities.add(priority);
        MessageRow.seal(row, crc, channel.chain);
        chain = Checksums.chain(chain, crc);
        rows++;
        insertMessage.setLong(1, sequence);
        insertMessage.setLong(2, channel.id);
        insertMessage.setLong(3, priority);
        insertMessage.setLong(4, timestamp);
        insertMessage.setBytes(5, row);
        insertMessage.addBatch();
        messages++;
    }

    private void flushMessages() throws SQLException {
        if (messages > 0) {
            messages = 0;
            insertMessage.executeBatch();
        }
    }

    private void settled(Entry.Settled settled) throws SQLException {
        SubscriptionState subscription = contents.subscriptions.get(settled.subscription());
        if (subscription == null || !subscription.acks.add(settled.number())) {
            return;
        }
        subscription.changed.add(AckSet.chunkOf(settled.number()));
        changed.add(subscription);
        if (subscription.attempts.remove(settled.number()) != null) {
            dropAttempt.setLong(1, subscription.id);
            dropAttempt.setLong(2, settled.number());
            dropAttempt.executeUpdate();
        }
    }

    private void flush(SubscriptionState subscription) throws SQLException {
        long floor = subscription.acks.floor();
        if (floor != subscription.storedFloor) {
            writeFloor.setLong(1, floor);
            writeFloor.setLong(
                    2,
                    checksums.of(
                            subscription.id,
                            subscription.channel.id,
                            subscription.name.group(),
                            subscription.config,
                            floor));
            writeFloor.setLong(3, subscription.id);
            writeFloor.executeUpdate();
            if (AckSet.chunkOf(floor) != AckSet.chunkOf(subscription.storedFloor)) {
                dropChunks.setLong(1, subscription.id);
                dropChunks.setLong(2, AckSet.chunkOf(floor));
                dropChunks.executeUpdate();
            }
            subscription.storedFloor = floor;
        }
        for (long chunk : subscription.changed) {
            long @Nullable [] words = subscription.acks.bits(chunk);
            if (words != null) {
                byte[] bits = new byte[words.length * Long.BYTES];
                ByteBuffer.wrap(bits).asLongBuffer().put(words);
                writeChunk.setLong(1, subscription.id);
                writeChunk.setLong(2, chunk);
                writeChunk.setBytes(3, bits);
                writeChunk.setLong(4, checksums.of(subscription.id, chunk, bits));
                writeChunk.executeUpdate();
            }
        }
        subscription.changed.clear();
    }

    private void attempt(Entry.Attempt attempt) throws SQLException {
        SubscriptionState subscription = contents.subscriptions.get(attempt.subscription());
        if (subscription == null || subscription.acks.contains(attempt.number())) {
            return;
        }
        subscription.attempts.put(
                attempt.number(), new Recovery.Attempts(attempt.attempts(), attempt.reason()));
        writeAttempt.setLong(1, subscription.id);
        writeAttempt.setLong(2, attempt.number());
        writeAttempt.setLong(3, attempt.attempts());
        writeAttempt.setString(4, attempt.reason());
        writeAttempt.setLong(
                5,
                checksums.of(
                        subscription.id,
                        attempt.number(),
                        (long) attempt.attempts(),
                        attempt.reason()));
        writeAttempt.executeUpdate();
    }

    private void opened(Entry.SubscriptionOpened opened) throws SQLException {
        SubscriptionState known = contents.subscriptions.get(opened.subscription());
        ChannelState channel = channel(opened.subscription().channel());
        SubscriptionState subscription = known;
        if (subscription == null) {
            long floor =
                    Math.clamp(opened.afterNumber(), channel.pruned.number(), channel.lastNumber);
            long id =
                    Sqlite.number(connection, "SELECT coalesce(max(id), 0) + 1 FROM subscriptions");
            subscription =
                    new SubscriptionState(
                            id, channel, opened.subscription(), opened.config(), floor);
            contents.subscriptions.put(subscription.name, subscription);
        }
        subscription.config = opened.config();
        long floor = subscription.acks.floor();
        subscription.storedFloor = floor;
        update(
                "INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?, ?)",
                subscription.id,
                channel.id,
                subscription.name.group(),
                subscription.config,
                floor,
                (long)
                        checksums.of(
                                subscription.id,
                                channel.id,
                                subscription.name.group(),
                                subscription.config,
                                floor));
    }

    private void ended(DurableName name) throws SQLException {
        SubscriptionState subscription = contents.subscriptions.remove(name);
        if (subscription == null) {
            return;
        }
        changed.remove(subscription);
        subscription.channel.subscriptions.remove(subscription);
        for (String from :
                List.of(
                        "subscriptions WHERE id",
                        "settled WHERE subscription",
                        "attempts WHERE subscription")) {
            update("DELETE FROM " + from + " = ?", subscription.id);
        }
    }

    private void configured(Entry.ChannelConfigured configured) throws SQLException {
        ChannelState channel = contents.channels.get(configured.channel());
        if (channel == null) {
            long id = Sqlite.number(connection, "SELECT coalesce(max(id), 0) + 1 FROM channels");
            channel =
                    new ChannelState(
                            id,
                            configured.channel(),
                            configured.config(),
                            configured.retention(),
                            false,
                            0,
                            ChannelState.Mark.NOTHING);
            contents.channels.put(channel.name, channel);
            channelsChanged = true;
        }
        channel.config = configured.config();
        channel.retention = configured.retention();
        write(channel);
    }

    private void write(ChannelState channel) throws SQLException {
        Object[] columns = Contents.columns(channel);
        Object[] all = Arrays.copyOf(columns, columns.length + 1);
        all[columns.length] = (long) checksums.of(columns);
        update(
                "INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                all);
    }

    private void removed(Entry.ChannelRemoved gone) throws SQLException {
        ChannelState channel = contents.channels.remove(gone.channel());
        if (channel == null) {
            return;
        }
        flushMessages();
        for (SubscriptionState subscription : List.copyOf(channel.subscriptions)) {
            ended(subscription.name);
        }
        update("DELETE FROM keys WHERE channel = ?", channel.id);
        channel.removed = true;
        contents.removed.add(channel);
        channelsChanged = true;
        write(channel);
    }

    private void key(Entry.KeyMarked key) throws SQLException {
        ChannelState channel = channel(key.channel());
        writeKey.setLong(1, channel.id);
        writeKey.setString(2, key.key());
        writeKey.setLong(3, key.done() ? 1 : 0);
        writeKey.setLong(4, key.sequence());
        writeKey.setLong(5, key.expiresAtMillis());
        writeKey.setLong(
                6,
                checksums.of(
                        channel.id,
                        key.key(),
                        key.done() ? 1L : 0L,
                        key.sequence(),
                        key.expiresAtMillis()));
        writeKey.executeUpdate();
    }

    private void key(Entry.KeyReleased key) throws SQLException {
        ChannelState channel = contents.channels.get(key.channel());
        if (channel != null) {
            dropKey.setLong(1, channel.id);
            dropKey.setString(2, key.key());
            dropKey.executeUpdate();
        }
    }

    private void seen(Entry.PublisherSeen seen) {
        Long known = contents.publishers.get(seen.publisher());
        if (known == null || known < seen.number()) {
            contents.publishers.put(seen.publisher(), seen.number());
            publishers.add(seen.publisher());
        }
    }

    private void flushPublishers() throws SQLException {
        long now = wallMillis.getAsLong();
        for (long publisher : publishers) {
            long number = Objects.requireNonNull(contents.publishers.get(publisher));
            writePublisher.setLong(1, publisher);
            writePublisher.setLong(2, number);
            writePublisher.setLong(3, now);
            writePublisher.setLong(4, checksums.of(publisher, number, now));
            writePublisher.executeUpdate();
        }
        publishers.clear();
    }

    private void purged(Entry.Purged purged) throws SQLException {
        ChannelState channel = contents.channels.get(purged.channel());
        if (channel != null) {
            flushMessages();
            channel.purgeUpTo =
                    Math.max(channel.purgeUpTo, Math.min(purged.upToNumber(), channel.lastNumber));
            write(channel);
        }
    }

    /**
     * Deletes the messages of a channel up to one of them, and has its subscriptions forget them.
     * Belongs into a transaction.
     *
     * @param from sequence number of the first of them
     */
    Pruned prune(ChannelState channel, long from, ChannelState.Mark mark) throws SQLException {
        long rowsGone = mark.number() - channel.pruned.number();
        update(
                "DELETE FROM messages NOT INDEXED WHERE sequence >= ? AND sequence <= ? AND channel = ?",
                from,
                mark.sequence(),
                channel.id);
        channel.pruned = mark;
        channel.oldestArrivedAt = ChannelState.UNKNOWN;
        write(channel);
        long unacknowledged = 0;
        for (SubscriptionState subscription : channel.subscriptions) {
            if (subscription.acks.floor() < mark.number()) {
                unacknowledged += subscription.acks.raiseTo(mark.number());
                changed.add(subscription);
                subscription
                        .attempts
                        .keySet()
                        .removeIf(number -> number <= subscription.acks.floor());
                update(
                        "DELETE FROM attempts WHERE subscription = ? AND number <= ?",
                        subscription.id,
                        subscription.acks.floor());
            }
        }
        return new Pruned(channel.name, mark.number(), rowsGone, unacknowledged);
    }

    /** Remembers that messages of a channel are lost, for good. */
    void recordLoss(String text, long channel, long first, long last) throws SQLException {
        long id = Sqlite.number(connection, "SELECT coalesce(max(id), 0) + 1 FROM losses");
        update(
                "INSERT INTO losses VALUES (?, ?, ?, ?, ?, ?)",
                id,
                text,
                channel,
                first,
                last,
                (long) checksums.of(id, text, channel, first, last));
    }

    /** Has a channel's messages begin with this one. */
    void startAt(ChannelState channel, long number, long sequenceOfFirst) throws SQLException {
        channel.pruned = new ChannelState.Mark(number - 1, sequenceOfFirst - 1, 0, 0);
        write(channel);
    }

    /** No number that was given before is given again. */
    void continueAfter(State before) {
        commits = Math.max(commits, before.commits());
        sequence = Math.max(sequence, before.sequence());
    }

    /** Takes a removed channel out of the table, once its messages are gone. */
    void forget(ChannelState channel) throws SQLException {
        update("DELETE FROM channels WHERE id = ?", channel.id);
        contents.removed.remove(channel);
    }

    /** Drops what only age decides about: keys, and publishers not heard of. */
    void forgetBefore(long keysBefore, long publishersBefore) throws SQLException {
        update("DELETE FROM keys WHERE expires < ?", keysBefore);
        List<Long> gone = new ArrayList<>();
        try (PreparedStatement select =
                connection.prepareStatement("SELECT id FROM publishers WHERE seen < ?")) {
            select.setLong(1, publishersBefore);
            try (var result = select.executeQuery()) {
                while (result.next()) {
                    gone.add(result.getLong(1));
                }
            }
        }
        for (long publisher : gone) {
            contents.publishers.remove(publisher);
            update("DELETE FROM publishers WHERE id = ?", publisher);
        }
    }

    private void update(String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setObject(i + 1, parameters[i]);
            }
            statement.executeUpdate();
        }
    }

    private ChannelState channel(String name) {
        ChannelState channel = contents.channels.get(name);
        if (channel == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND, "The journal has no channel '%s'.".formatted(name));
        }
        return channel;
    }
}
