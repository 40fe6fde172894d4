package neuralcore.vectors.store;

import java.nio.file.Path;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** How damage is told: the file, the place in it, and what is wrong there. */
public final class Damage {
    private Damage() {}

    /** For a file whose bytes are not those that were written. */
    public static NeuralCoreException at(Path file, long offset, String what) {
        return new NeuralCoreException(
                ErrorCode.DATA_DAMAGED,
                ("%s is damaged at byte %d: %s. Nothing of it is served; restore the collection's"
                                + " folder from a copy, or drop the collection.")
                        .formatted(file, offset, what));
    }

    /** For a file that is not there. */
    public static NeuralCoreException missing(Path file, String why) {
        return new NeuralCoreException(
                ErrorCode.DATA_DAMAGED,
                ("%s is missing: %s. Restore the collection's folder from a copy, or drop the"
                                + " collection.")
                        .formatted(file, why));
    }

    static NeuralCoreException newer(Path file, int format, int known) {
        return new NeuralCoreException(
                ErrorCode.VERSION_MISMATCH,
                "%s has format %d, this version knows %d; use the newer daemon that wrote it."
                        .formatted(file, format, known));
    }
}
