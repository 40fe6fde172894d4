package neuralcore.embedding;

import java.nio.FloatBuffer;
import neuralcore.wire.NeuralCoreException;

/**
 * What a request wants of each vector: its first {@code dimensions} numbers (of models trained for
 * it, the Matryoshka kind, the beginning is a vector of its own), and whether at length one.
 */
public record VectorForm(int dimensions, boolean normalize) {
    public VectorForm {
        if (dimensions < 1) {
            throw NeuralCoreException.invalid(
                    "'dimensions' is %d; it must be at least 1.".formatted(dimensions));
        }
    }

    /**
     * Checks that a model's vectors have as many numbers.
     *
     * @throws NeuralCoreException if they do not
     */
    public void requireFrom(int dimension) {
        if (dimensions > dimension) {
            throw NeuralCoreException.invalid(
                    "'dimensions' is %d; the model's vectors have %d."
                            .formatted(dimensions, dimension));
        }
    }

    /** Copies a vector of at least so many numbers into its place, in this form. */
    void write(FloatBuffer from, int at, FloatBuffer to, int place) {
        to.put(place, from, at, dimensions);
        if (normalize) {
            Pooling.normalize(to, place, dimensions);
        }
    }
}
