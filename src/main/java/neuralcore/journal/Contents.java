package neuralcore.journal;

import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * All of a journal but its messages, read into memory and checked row by row. A failed transaction
 * leaves it ahead of the database; it is read anew then. Not thread-safe.
 */
final class Contents {
    /** By name, those removed left out. */
    final Map<String, ChannelState> channels = new LinkedHashMap<>();

    /** Removed channels whose messages are still there. */
    final List<ChannelState> removed = new ArrayList<>();

    final Map<DurableName, SubscriptionState> subscriptions = new LinkedHashMap<>();
    final Map<Long, Long> publishers = new HashMap<>();
    final List<Recovery.Key> keys = new ArrayList<>();
    final List<String> losses = new ArrayList<>();
    long id;
    State state = State.NEW;

    /** The latest arrival, by the wall clock. */
    long lastArrivedAt;

    private final Checksums checksums = new Checksums();
    private final Map<Long, ChannelState> channelsById = new HashMap<>();
    private final Map<Long, SubscriptionState> subscriptionsById = new HashMap<>();

    /**
     * @throws NeuralCoreException {@code DATA_DAMAGED} if a row is not what was written
     */
    static Contents read(Connection connection) throws SQLException {
        Contents contents = new Contents();
        try (Statement statement = connection.createStatement()) {
            contents.readState(statement);
            contents.readChannels(statement);
            contents.readSubscriptions(statement);
            contents.readSettled(statement);
            contents.readAttempts(statement);
            contents.readKeys(statement);
            contents.readPublishers(statement);
            contents.readLosses(statement);
        }
        MessageTable messages = new MessageTable(connection);
        for (ChannelState channel : contents.channelsById.values()) {
            contents.readNewest(messages, channel);
        }
        return contents;
    }

    Recovery recovery() {
        List<Recovery.Channel> channelList = new ArrayList<>();
        for (ChannelState channel : channels.values()) {
            channelList.add(
                    new Recovery.Channel(
                            channel.name,
                            channel.config,
                            channel.retention,
                            channel.lastNumber,
                            channel.pruned.number(),
                            List.copyOf(channel.priorities)));
        }
        List<Recovery.Subscription> subscriptionList = new ArrayList<>();
        for (SubscriptionState subscription : subscriptions.values()) {
            subscriptionList.add(
                    new Recovery.Subscription(
                            subscription.name,
                            subscription.config,
                            subscription.acks.copy(),
                            Map.copyOf(subscription.attempts)));
        }
        return new Recovery(
                state.sequence(),
                channelList,
                subscriptionList,
                List.copyOf(keys),
                Map.copyOf(publishers),
                List.copyOf(losses));
    }

    private void readState(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery(
                        "SELECT id, commits, rows, sequence, chain, crc FROM state")) {
            if (!row.next()) {
                throw damaged("state", 1);
            }
            id = row.getLong(1);
            state = new State(row.getLong(2), row.getLong(3), row.getLong(4), row.getLong(5));
            check(
                    "state",
                    1,
                    row.getInt(6),
                    id,
                    state.commits(),
                    state.rows(),
                    state.sequence(),
                    state.chain());
        }
    }

    private void readChannels(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery(
                        "SELECT id, name, config, age, rows, bytes, unacknowledged, removed,"
                                + " purge, pruned_number, pruned_sequence, pruned_chain, pruned_bytes, crc"
                                + " FROM channels ORDER BY id")) {
            while (row.next()) {
                ChannelState channel =
                        new ChannelState(
                                row.getLong(1),
                                row.getString(2),
                                row.getString(3),
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
                check("channels", channel.id, row.getInt(14), columns(channel));
                channelsById.put(channel.id, channel);
                if (channel.removed) {
                    removed.add(channel);
                } else {
                    channels.put(channel.name, channel);
                }
            }
        }
    }

    /** What the checksum of a channel's row is over. */
    static Object[] columns(ChannelState channel) {
        Retention retention = channel.retention;
        return new Object[] {
            channel.id,
            channel.name,
            channel.config,
            retention.ageMillis(),
            retention.rows(),
            retention.bytes(),
            retention.pruneUnacknowledged() ? 1L : 0L,
            channel.removed ? 1L : 0L,
            channel.purgeUpTo,
            channel.pruned.number(),
            channel.pruned.sequence(),
            channel.pruned.chain(),
            channel.pruned.bytes()
        };
    }

    private void readNewest(MessageTable messages, ChannelState channel) throws SQLException {
        channel.priorities.addAll(messages.priorities(channel.id));
        long newest = messages.last(channel.id, channel.priorities);
        if (newest == MessageTable.NONE) {
            return;
        }
        messages.range(
                channel.id,
                null,
                newest - 1,
                newest,
                1,
                (sequence, priority, timestamp, row) -> {
                    channel.lastNumber = MessageRow.number(row);
                    channel.chain = MessageRow.chain(row);
                    channel.bytes = MessageRow.bytesSoFar(row);
                    lastArrivedAt = Math.max(lastArrivedAt, MessageRow.arrivedAt(row));
                    return true;
                });
    }

    private void readSubscriptions(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery(
                        "SELECT id, channel, name, config, floor, crc FROM subscriptions"
                                + " ORDER BY id")) {
            while (row.next()) {
                long number = row.getLong(1);
                check(
                        "subscriptions",
                        number,
                        row.getInt(6),
                        number,
                        row.getLong(2),
                        row.getString(3),
                        row.getString(4),
                        row.getLong(5));
                ChannelState channel = channelsById.get(row.getLong(2));
                if (channel == null) {
                    throw damaged("subscriptions", number);
                }
                SubscriptionState subscription =
                        new SubscriptionState(
                                number,
                                channel,
                                new DurableName(channel.name, row.getString(3)),
                                row.getString(4),
                                row.getLong(5));
                subscriptionsById.put(number, subscription);
                if (!channel.removed) {
                    subscriptions.put(subscription.name, subscription);
                }
            }
        }
    }

    private void readSettled(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery("SELECT subscription, chunk, bits, crc FROM settled")) {
            while (row.next()) {
                long number = row.getLong(1);
                long chunk = row.getLong(2);
                byte[] bits = row.getBytes(3);
                check("settled", number, row.getInt(4), number, chunk, bits);
                long[] words = new long[AckSet.CHUNK / Long.SIZE];
                ByteBuffer.wrap(bits).asLongBuffer().get(words);
                subscription("settled", number).acks.restore(chunk, words);
            }
        }
    }

    private void readAttempts(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery(
                        "SELECT subscription, number, attempts, reason, crc FROM attempts")) {
            while (row.next()) {
                long of = row.getLong(1);
                check(
                        "attempts",
                        of,
                        row.getInt(5),
                        of,
                        row.getLong(2),
                        row.getLong(3),
                        row.getString(4));
                subscription("attempts", of)
                        .attempts
                        .put(
                                row.getLong(2),
                                new Recovery.Attempts((int) row.getLong(3), row.getString(4)));
            }
        }
    }

    private void readKeys(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery(
                        "SELECT channel, name, done, sequence, expires, crc FROM keys"
                                + " ORDER BY sequence")) {
            while (row.next()) {
                check(
                        "keys",
                        row.getLong(1),
                        row.getInt(6),
                        row.getLong(1),
                        row.getString(2),
                        row.getLong(3),
                        row.getLong(4),
                        row.getLong(5));
                ChannelState channel = channelsById.get(row.getLong(1));
                if (channel != null && !channel.removed) {
                    keys.add(
                            new Recovery.Key(
                                    channel.name,
                                    row.getString(2),
                                    row.getLong(3) != 0,
                                    row.getLong(4),
                                    row.getLong(5)));
                }
            }
        }
    }

    private void readPublishers(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery("SELECT id, number, seen, crc FROM publishers")) {
            while (row.next()) {
                check(
                        "publishers",
                        row.getLong(1),
                        row.getInt(4),
                        row.getLong(1),
                        row.getLong(2),
                        row.getLong(3));
                publishers.put(row.getLong(1), row.getLong(2));
            }
        }
    }

    private void readLosses(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery(
                        "SELECT id, text, channel, first, last, crc FROM losses ORDER BY id")) {
            while (row.next()) {
                check(
                        "losses",
                        row.getLong(1),
                        row.getInt(6),
                        row.getLong(1),
                        row.getString(2),
                        row.getLong(3),
                        row.getLong(4),
                        row.getLong(5));
                losses.add(row.getString(2));
            }
        }
    }

    private SubscriptionState subscription(String table, long number) {
        SubscriptionState subscription = subscriptionsById.get(number);
        if (subscription == null) {
            throw damaged(table, number);
        }
        return subscription;
    }

    private void check(String table, long row, int crc, Object... columns) {
        for (Object column : columns) {
            if (column == null) {
                throw damaged(table, row);
            }
        }
        if (checksums.of(columns) != crc) {
            throw damaged(table, row);
        }
    }

    private static NeuralCoreException damaged(String table, long row) {
        return new NeuralCoreException(
                ErrorCode.DATA_DAMAGED,
                "Row %d of table %s is not what was written.".formatted(row, table));
    }
}
