package neuralcore.wire;

/**
 * What became of one delivery.
 *
 * @param subscription the client's number of the subscription
 * @param sequence the message's number in its namespace, as the delivery named it
 * @param delayMillis of a {@link Kind#NACK} until it is delivered again, or {@link #BY_BACKOFF}; of
 *     an {@link Kind#EXTEND} the new lease
 * @param reason a JSON object with {@code error_type}, {@code error} and {@code traceback} for the
 *     dead letter; empty where there is none
 */
public record Settlement(
        int subscription, Kind kind, long sequence, long delayMillis, String reason) {

    /** As a delay: the subscription's own back-off decides. */
    public static final long BY_BACKOFF = -1;

    public Settlement {
        if (delayMillis < BY_BACKOFF || delayMillis >= 0xffff_ffffL) {
            throw NeuralCoreException.invalid(
                    "The delay is %d ms; it must be between 0 and 2³² − 2, or −1 for the back-off."
                            .formatted(delayMillis));
        }
    }

    public static Settlement ack(int subscription, long sequence) {
        return new Settlement(subscription, Kind.ACK, sequence, 0, "");
    }

    /** In the order of their numbers on the wire. */
    public enum Kind {
        /** Done. */
        ACK,
        /** Failed; deliver it again, until the attempts are used up. */
        NACK,
        /** Failed for good; it goes to the dead letters. */
        TERM,
        /** Still being worked on; the lease begins anew. */
        EXTEND;

        private static final Kind[] ALL = values();

        static Kind ofNumber(int number) {
            if (number >= ALL.length) {
                throw new NeuralCoreException(
                        ErrorCode.MALFORMED_FRAME,
                        "A settlement of kind %d is not known; 0 to 3 are.".formatted(number));
            }
            return ALL[number];
        }
    }
}
