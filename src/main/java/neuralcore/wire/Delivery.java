package neuralcore.wire;

/**
 * A message on its way to one subscription.
 *
 * @param subscription the id that the client chose for the subscription, unique in its connection
 * @param channelSequence the message's number in its channel, from 1 without gaps
 * @param attempt 1 for the first delivery
 */
public record Delivery(int subscription, long channelSequence, int attempt, Envelope envelope) {}
