package neuralcore.embedding;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import neuralcore.wire.ErrorCode;
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
     * @param threads threads of a run that is alone; runs side by side have one each
     * @param precision of its weights
     */
    public record Source(
            String name, Path models, Path cache, int threads, Precision.Choice precision) {}

    /** Loads a model: the network on the calling thread, its tokenizer on another meanwhile. */
    static EmbeddingModel load(Source source, Executor executor) {
        ModelSpec spec = Models.get(source.name());
        CacheFolder cache = CacheFolder.open(source.cache());
        ModelStore store = new ModelStore(source.models(), cache);
        CompletableFuture<Tokenizer> tokenizer =
                CompletableFuture.supplyAsync(
                        () -> Tokenizer.open(cache, store.tokenizer(spec), spec.maxTokens()),
                        executor);
        try {
            Optional<Int8Network> int8 = int8(spec, source);
            if (int8.isPresent()) {
                EmbeddingModel model =
                        open(
                                spec.withInt8(int8.get().file()),
                                store,
                                cache,
                                source.threads(),
                                tokenizer);
                if (model.agrees(int8.get())) {
                    return model;
                }
                model.network().close();
                if (source.precision() == Precision.Choice.INT8) {
                    throw new NeuralCoreException(
                            ErrorCode.NOT_SUPPORTED,
                            "The int8 network of %s gives wrong vectors on this processor. Set embedding.precision to auto or fp32."
                                    .formatted(spec.name()));
                }
            }
            EmbeddingModel model = open(spec, store, cache, source.threads(), tokenizer);
            model.embed("the first text");
            return model;
        } catch (RuntimeException e) {
            tokenizer.thenAccept(Tokenizer::close);
            throw e;
        }
    }

    /** The int8 network to try first. */
    private static Optional<Int8Network> int8(ModelSpec spec, Source source) {
        return switch (source.precision()) {
            case FP32 -> Optional.empty();
            case AUTO ->
                    Processor.multipliesInt8()
                            ? Int8Network.find(spec, source.models())
                            : Optional.empty();
            case INT8 -> {
                Optional<Int8Network> found = Int8Network.find(spec, source.models());
                if (found.isEmpty()) {
                    throw new NeuralCoreException(
                            ErrorCode.MODEL_NOT_FOUND,
                            "%s has no int8 network. Put model_int8.onnx and model_int8.json into %s; python -m neuralcore.convert makes them."
                                    .formatted(spec.name(), source.models().resolve(spec.name())));
                }
                yield found;
            }
        };
    }

    private static EmbeddingModel open(
            ModelSpec spec,
            ModelStore store,
            CacheFolder cache,
            int threads,
            CompletableFuture<Tokenizer> tokenizer) {
        OnnxModel network = OnnxModel.open(spec, store, cache, threads);
        try {
            return new EmbeddingModel(spec, tokenizer.join(), network);
        } catch (CompletionException e) {
            network.close();
            throw e.getCause() instanceof NeuralCoreException cause ? cause : e;
        }
    }

    /** Whether an int8 network gives, on this processor, nearly the float32 network's vectors. */
    private boolean agrees(Int8Network int8) {
        return int8.probes().stream().allMatch(probe -> probe.agrees(embed(probe.text())));
    }

    private float[] embed(String text) {
        Tensor vectors = Tensor.ofFloats(1, spec.dimension());
        network.newRunner().run(TokenBatch.of(List.of(tokenizer.encode(text))), vectors.floats());
        float[] vector = new float[spec.dimension()];
        vectors.floats().get(0, vector);
        return vector;
    }

    @Override
    public void close() {
        tokenizer.close();
        network.close();
    }
}
