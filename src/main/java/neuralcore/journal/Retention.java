package neuralcore.journal;

import neuralcore.wire.NeuralCoreException;

/**
 * How much of a channel is kept; whichever bound is reached first counts, 0 means no such bound.
 *
 * @param ageMillis by the wall clock at arrival
 * @param rows messages
 * @param bytes of rows, bodies and their 80 bytes of description
 * @param pruneUnacknowledged whether messages go that a durable subscription has not settled; they
 *     are counted and told then
 */
public record Retention(long ageMillis, long rows, long bytes, boolean pruneUnacknowledged) {

    /** Everything stays. */
    public static final Retention FOREVER = new Retention(0, 0, 0, false);

    public Retention {
        if (ageMillis < 0 || rows < 0 || bytes < 0) {
            throw NeuralCoreException.invalid(
                    "A retention of %d ms, %d rows and %d bytes cannot be; 0 means without bound."
                            .formatted(ageMillis, rows, bytes));
        }
    }
}
