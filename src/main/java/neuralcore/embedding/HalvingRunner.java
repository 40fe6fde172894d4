package neuralcore.embedding;

import java.nio.FloatBuffer;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * Runs a batch that there is not memory enough for in two halves, and these again, down to single
 * texts.
 */
final class HalvingRunner implements EmbeddingModel.BatchRunner {
    private final EmbeddingModel.BatchRunner whole;
    private final int dimension;

    /**
     * @param whole runs a batch or throws an {@link OutOfMemoryError}
     * @param dimension of the vectors
     */
    HalvingRunner(EmbeddingModel.BatchRunner whole, int dimension) {
        this.whole = whole;
        this.dimension = dimension;
    }

    @Override
    public void run(TokenBatch batch, FloatBuffer vectors) {
        try {
            whole.run(batch, vectors);
            return;
        } catch (OutOfMemoryError e) {
            if (batch.texts() == 1) {
                throw new NeuralCoreException(
                        ErrorCode.UNAVAILABLE,
                        "There is not memory enough to embed one text of %d tokens."
                                .formatted(batch.width()),
                        1.0);
            }
        }
        int middle = batch.texts() / 2;
        run(batch.part(0, middle), vectors.slice(0, middle * dimension));
        int rest = batch.texts() - middle;
        run(batch.part(middle, batch.texts()), vectors.slice(middle * dimension, rest * dimension));
    }
}
