package neuralcore.journal;

import neuralcore.wire.NeuralCoreException;

/**
 * @param maxAgeMillis how long messages are kept where their channel says nothing; 0 for ever
 * @param maxBytes of one namespace's messages; beyond, the oldest go that nobody waits for; 0 means
 *     without bound
 * @param ballastBytes kept on the disk beside the journal, and freed when the disk is full, so that
 *     settlements and pruning have room
 * @param checkpointBytes about so much is written to the log before it is copied into the database;
 *     a start after a kill reads at most some of these
 * @param tailRows how many of the newest messages are checked before a journal counts as open
 */
public record JournalSettings(
        long maxAgeMillis, long maxBytes, long ballastBytes, long checkpointBytes, int tailRows) {

    /**
     * A week and 1 GiB of messages, 8 MiB of ballast, a log of 16 MiB, 4,096 messages checked at a
     * start.
     */
    public static final JournalSettings STANDARD =
            new JournalSettings(7L * 24 * 3600 * 1000, 1L << 30, 8L << 20, 16L << 20, 4096);

    public JournalSettings {
        if (maxAgeMillis < 0
                || maxBytes < 0
                || ballastBytes < 0
                || checkpointBytes < 1
                || tailRows < 0) {
            throw NeuralCoreException.invalid(
                    "A journal of at most %d ms and %d bytes, ballast %d, log %d, tail %d cannot be."
                            .formatted(
                                    maxAgeMillis,
                                    maxBytes,
                                    ballastBytes,
                                    checkpointBytes,
                                    tailRows));
        }
    }
}
