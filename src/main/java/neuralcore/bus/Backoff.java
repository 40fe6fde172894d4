package neuralcore.bus;

import java.util.random.RandomGenerator;
import neuralcore.wire.NeuralCoreException;

/**
 * How long a failed delivery waits for its next attempt: {@code initial · multiplierⁿ}, at most
 * {@code max}, of which a random part is taken away so that what failed together does not come back
 * together.
 *
 * @param jitter the largest part taken away, 0 (none) to 1 (perhaps all)
 */
public record Backoff(long initialMillis, long maxMillis, double multiplier, double jitter) {

    /** 100 ms, 200 ms, 400 ms … to 30 s, each less up to a fifth. */
    public static final Backoff STANDARD = new Backoff(100, 30_000, 2, 0.2);

    public Backoff {
        if (initialMillis < 0 || maxMillis < initialMillis) {
            throw NeuralCoreException.invalid(
                    "The back-off begins at %d ms and ends at %d ms; it must grow from 0 or more."
                            .formatted(initialMillis, maxMillis));
        }
        if (!(multiplier >= 1 && multiplier <= 100) || !(jitter >= 0 && jitter <= 1)) {
            throw NeuralCoreException.invalid(
                    ("The back-off has multiplier %s and jitter %s; they must be within"
                                    + " 1 to 100 and 0 to 1.")
                            .formatted(multiplier, jitter));
        }
    }

    /** The wait after this many attempts, from 1. */
    long delayMillis(int attempts, RandomGenerator random) {
        double delay = Math.min(maxMillis, initialMillis * Math.pow(multiplier, attempts - 1));
        return Math.round(delay * (1 - jitter * random.nextDouble()));
    }
}
