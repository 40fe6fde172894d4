package neuralcore.bus;

/** When the first message that waits anywhere in a namespace may expire. */
final class Expiries {
    private long earliest = QueuedMessage.NEVER;

    /** A message waits that expires then. */
    void note(long atMillis) {
        earliest = Math.min(earliest, atMillis);
    }

    /** Whether something may have expired; what still waits is to be noted anew then. */
    boolean isDue(long nowMillis) {
        if (earliest > nowMillis) {
            return false;
        }
        earliest = QueuedMessage.NEVER;
        return true;
    }
}
