package neuralcore.bus;

import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;

/** Times in requests: seconds there, perhaps broken ones, and milliseconds here. */
final class Seconds {
    private static final double MOST = 1e12;

    private Seconds() {}

    static long millis(Params params, String name, long otherwise) {
        double seconds = params.number(name, Double.NaN);
        if (Double.isNaN(seconds)) {
            return otherwise;
        }
        if (!(seconds >= 0 && seconds <= MOST)) {
            throw NeuralCoreException.invalid(
                    "'%s' is %s s; it must not be negative.".formatted(name, seconds));
        }
        return Math.round(seconds * 1e3);
    }
}
