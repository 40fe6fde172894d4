package neuralcore.journal;

import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Asks for messages of a channel in the order of their sequence numbers.
 *
 * @param priority only messages of this one, or all if null
 * @param afterSequence the page begins with the first message after this
 * @param upToSequence and holds none after this
 * @param maxRows at most so many
 * @param maxBytes no further message once so many bytes of bodies have come together
 */
public record PageRequest(
        String channel,
        @Nullable Long priority,
        long afterSequence,
        long upToSequence,
        int maxRows,
        long maxBytes) {

    public PageRequest {
        if (maxRows < 1 || maxBytes < 1) {
            throw NeuralCoreException.invalid(
                    "A page of %d rows and %d bytes cannot be; ask for 1 at least."
                            .formatted(maxRows, maxBytes));
        }
    }
}
