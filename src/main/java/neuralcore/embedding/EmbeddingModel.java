package neuralcore.embedding;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Tensor;

/**
 * A model in memory, with what is needed to use it. It has run once when {@link #load} returns.
 *
 * <p>Thread-safe. Closing waits for calls in progress.
 */
public record EmbeddingModel(ModelSpec spec, Tokenizer tokenizer, OnnxModel network)
        implements AutoCloseable {

    /**
     * Which model to load, and how.
     *
     * @param name of the model, or an alias
     * @param models folder with further models
     * @param cache folder for what can be made again
     * @param threads threads of one run
     */
    public record Source(String name, Path models, Path cache, int threads) {}

    /** Loads a model: the network on the calling thread, its tokenizer on another meanwhile. */
    static EmbeddingModel load(Source source, Executor executor) {
        ModelSpec spec = Models.get(source.name());
        CacheFolder cache = CacheFolder.open(source.cache());
        ModelStore store = new ModelStore(source.models(), cache);
        CompletableFuture<Tokenizer> tokenizer =
                CompletableFuture.supplyAsync(
                        () -> Tokenizer.open(cache, store.tokenizer(spec), spec.maxTokens()),
                        executor);
        OnnxModel network;
        try {
            network = OnnxModel.open(spec, store, cache, source.threads());
        } catch (RuntimeException e) {
            tokenizer.thenAccept(Tokenizer::close);
            throw e;
        }
        try {
            EmbeddingModel model = new EmbeddingModel(spec, tokenizer.join(), network);
            model.warmUp();
            return model;
        } catch (CompletionException e) {
            network.close();
            throw e.getCause() instanceof NeuralCoreException cause ? cause : e;
        }
    }

    private void warmUp() {
        int[][] ids = {tokenizer.encode("the first text")};
        Tensor vectors = Tensor.ofFloats(1, spec.dimension());
        network.newRunner().run(TokenBatch.of(List.of(ids)), vectors.floats());
    }

    @Override
    public void close() {
        tokenizer.close();
        network.close();
    }
}
