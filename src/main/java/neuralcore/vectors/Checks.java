package neuralcore.vectors;

import neuralcore.vectors.simd.Kernels;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** What is refused at the door, so that the loops within need no checks. */
final class Checks {
    private Checks() {}

    static void sameDimension(int given, int expected) {
        if (given != expected) {
            throw new NeuralCoreException(
                    ErrorCode.DIMENSION_MISMATCH,
                    "Vector length mismatch: " + given + " vs " + expected);
        }
    }

    /**
     * @param rows rows of {@code dimension} elements
     * @param meaning what they are, for the message
     */
    static void finite(Kernels kernels, float[] rows, int dimension, String meaning) {
        if (kernels.allFinite(rows, 0, rows.length)) {
            return;
        }
        for (int i = 0; i < rows.length; i++) {
            if (!Float.isFinite(rows[i])) {
                throw new NeuralCoreException(
                        ErrorCode.NOT_FINITE,
                        "%s: the value at row %d, column %d is %s; vectors must be finite."
                                .formatted(meaning, i / dimension, i % dimension, rows[i]));
            }
        }
    }

    static void atLeastOne(int k) {
        if (k < 1) {
            throw NeuralCoreException.invalid("'k' is " + k + "; it must be at least 1.");
        }
    }
}
