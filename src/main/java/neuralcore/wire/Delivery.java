package neuralcore.wire;

/**
 * A message on its way to one subscription.
 *
 * @param subscription the id that the client chose for the subscription, unique in its connection
 * @param sequence the message's number in its namespace; settlements name it
 * @param channelSequence the message's number in its channel, from 1 without gaps
 * @param attempt 1 for the first delivery; at most 65,535 is told
 * @param replayed whether it comes from the log, for a subscription that began later
 */
public record Delivery(
        int subscription,
        long sequence,
        long channelSequence,
        int attempt,
        boolean replayed,
        Envelope envelope) {

    /** About how many bytes it takes in a {@link Frame.Deliver}; the same on both ends. */
    public int bytes() {
        return FrameLayout.DELIVERY_ENTRY + envelope.body().length;
    }
}
