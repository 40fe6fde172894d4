package neuralcore.journal;

/**
 * Messages have gone from a channel.
 *
 * @param upToNumber all up to this
 * @param rows how many this time
 * @param unacknowledged how often one of them went that a durable subscription had not settled
 */
public record Pruned(String channel, long upToNumber, long rows, long unacknowledged) {}
