package neuralcore.journal;

import neuralcore.wire.Envelope;

/**
 * A message as the journal has it.
 *
 * @param sequence the namespace's number
 * @param number the channel's
 * @param arrivedAtMillis wall clock, never less than that of the message before
 * @param dueAtMillis see {@link Entry.Message}
 * @param expiresAtMillis likewise
 */
public record StoredMessage(
        long sequence,
        long number,
        long arrivedAtMillis,
        long dueAtMillis,
        long expiresAtMillis,
        Envelope envelope) {}
