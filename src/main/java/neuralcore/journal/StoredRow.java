package neuralcore.journal;

import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** Rows of {@code messages} that somebody else has read from the database. */
public final class StoredRow {
    /**
     * The messages of a channel after a sequence number, for a reader of its own: parameters are
     * channel name, sequence number and limit; {@link #read} takes the columns.
     */
    public static final String SELECT =
            "SELECT sequence, channel, priority, timestamp, record FROM messages NOT INDEXED"
                    + " WHERE channel = (SELECT id FROM channels WHERE name = ? AND removed = 0)"
                    + " AND sequence > ? ORDER BY sequence LIMIT ?";

    private StoredRow() {}

    /**
     * @throws NeuralCoreException {@code DATA_DAMAGED} if the row is not what was written
     */
    public static StoredMessage read(
            String channel,
            long sequence,
            long channelId,
            long priority,
            long timestamp,
            byte[] record) {
        if (record.length < MessageRow.HEADER
                || MessageRow.crc(record)
                        != new Checksums()
                                .ofMessage(sequence, channelId, priority, timestamp, record)) {
            throw new NeuralCoreException(
                    ErrorCode.DATA_DAMAGED,
                    "The message with sequence number %d is not what was written."
                            .formatted(sequence));
        }
        return MessageRow.decode(sequence, channel, priority, timestamp, record);
    }
}
