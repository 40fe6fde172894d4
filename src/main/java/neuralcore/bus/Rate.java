package neuralcore.bus;

import neuralcore.wire.NeuralCoreException;

/**
 * How much may pass: a token bucket's size and how fast it fills.
 *
 * @param burst how many may pass at once after a pause
 */
public record Rate(double perSecond, int burst) {
    public Rate {
        if (!(perSecond > 0 && perSecond <= 1e9) || burst < 1) {
            throw NeuralCoreException.invalid(
                    ("A rate of %s a second with bursts of %d is impossible;"
                                    + " the rate must be above 0 and the burst at least 1.")
                            .formatted(perSecond, burst));
        }
    }
}
