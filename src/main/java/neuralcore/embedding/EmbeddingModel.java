package neuralcore.embedding;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import neuralcore.wire.NeuralCoreException;

/** A model in memory that has run once. Thread-safe. Closing waits for calls in progress. */
public interface EmbeddingModel extends AutoCloseable {

    /**
     * Which model to load, and how.
     *
     * @param spec the model as it is described
     * @param models folder with further models
     * @param hub folder with what Hugging Face's tools have downloaded
     * @param cache folder for what can be made again
     * @param threads threads of a run that is alone, 0 to choose; runs side by side have one each
     * @param precision of its weights
     * @param provider what to run it on
     * @param isolation in which process
     */
    record Source(
            ModelSpec spec,
            Path models,
            Path hub,
            Path cache,
            int threads,
            Precision.Choice precision,
            Provider provider,
            Isolation isolation) {

        /** The same with another description. */
        Source with(ModelSpec other) {
            return new Source(other, models, hub, cache, threads, precision, provider, isolation);
        }

        /**
         * Threads of a run that is alone. On two, a short text takes a third less time in float32,
         * and in int8 on processors without dot products; with them it is over before the threads
         * have met (8 tokens: 1.95 and 1.63 ms).
         */
        int threadsIn(Precision form) {
            if (threads > 0) {
                return threads;
            }
            boolean quick = form == Precision.INT8 && Processor.multipliesInt8();
            return quick ? 1 : Runtime.getRuntime().availableProcessors();
        }
    }

    /** Runs batches for one thread. Not thread-safe. */
    @FunctionalInterface
    interface BatchRunner {

        /**
         * The vectors of a batch's texts, pooled and of the length that pooling gave them.
         *
         * @param vectors receives them from its position 0, {@code dimension} floats a text
         */
        void run(TokenBatch batch, FloatBuffer vectors);
    }

    /** What it is, with the precision and the files that are really used. */
    ModelSpec spec();

    /** What it really runs on. */
    Provider provider();

    /** Completed with the reason when it will never again give vectors; most never are. */
    default CompletableFuture<NeuralCoreException> unusable() {
        return new CompletableFuture<>();
    }

    /** The token ids of each text, at most {@code maxTokens}. */
    int[][] encode(List<String> texts);

    /** What one thread needs to run batches. */
    BatchRunner newRunner();

    @Override
    void close();
}
