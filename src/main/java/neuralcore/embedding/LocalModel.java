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

/** A model in this process. It has run once when {@link #load} returns. Thread-safe. */
record LocalModel(ModelSpec spec, Tokenizer tokenizer, OnnxModel network)
        implements EmbeddingModel {

    /**
     * Loads a model: the network on the calling thread, its tokenizer meanwhile by the executor,
     * which may be asked to open another session on the network later.
     */
    static LocalModel load(Source source, Executor executor) {
        CacheFolder cache = CacheFolder.open(source.cache());
        ModelStore store = new ModelStore(source.models(), source.hub(), cache);
        ModelSpec spec = store.pin(source.spec());
        CompletableFuture<Tokenizer> tokenizer =
                CompletableFuture.supplyAsync(() -> tokenizer(spec, store, cache), executor);
        try {
            Optional<Int8Network> int8 = int8(spec, source);
            if (int8.isPresent()) {
                LocalModel model =
                        open(
                                spec.withNetwork(Precision.INT8, int8.get().file()),
                                store,
                                cache,
                                source,
                                tokenizer,
                                executor);
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
            ModelSpec form =
                    source.precision() == Precision.Choice.FP16 ? fp16(spec, store, source) : spec;
            LocalModel model = open(form, store, cache, source, tokenizer, executor);
            try {
                model.embed("the first text");
            } catch (RuntimeException e) {
                model.network().close();
                throw e;
            }
            return model;
        } catch (RuntimeException e) {
            tokenizer.thenAccept(Tokenizer::close);
            throw e;
        }
    }

    private static Tokenizer tokenizer(ModelSpec spec, ModelStore store, CacheFolder cache) {
        Path kept = store.tokenizer(spec);
        try {
            return Tokenizer.open(cache, kept, spec.maxTokens());
        } catch (NeuralCoreException e) {
            String origin = store.origin(spec, spec.tokenizer());
            String why = String.valueOf(e.getMessage()).replace(kept.toString(), origin);
            throw new NeuralCoreException(e.code(), why, e);
        }
    }

    /** The int8 network to try first. */
    private static Optional<Int8Network> int8(ModelSpec spec, Source source) {
        return switch (source.precision()) {
            case FP32, FP16 -> Optional.empty();
            case AUTO ->
                    Processor.multipliesInt8() && source.provider().kind() == Provider.Kind.CPU
                            ? Int8Network.find(spec, source.models())
                            : Optional.empty();
            case INT8 -> {
                Optional<Int8Network> found = Int8Network.find(spec, source.models());
                if (found.isEmpty()) {
                    throw noNetwork(
                            spec, source, "int8", "model_int8.onnx and model_int8.json", "");
                }
                yield found;
            }
        };
    }

    private static ModelSpec fp16(ModelSpec spec, ModelStore store, Source source) {
        ModelSpec form = spec.withNetwork(Precision.FP16, ModelFile.named("model_fp16.onnx"));
        if (!ModelStore.isPresent(form, source.models(), source.hub())) {
            throw noNetwork(spec, source, "fp16", "model_fp16.onnx", " --form fp16");
        }
        return store.pin(form);
    }

    private static NeuralCoreException noNetwork(
            ModelSpec spec, Source source, String form, String files, String option) {
        String name = spec.name();
        return new NeuralCoreException(
                ErrorCode.MODEL_NOT_FOUND,
                "%s has no %s network. neuralcore models convert %s%s makes one; it is %s in %s."
                        .formatted(name, form, name, option, files, source.models().resolve(name)));
    }

    private static LocalModel open(
            ModelSpec spec,
            ModelStore store,
            CacheFolder cache,
            Source source,
            CompletableFuture<Tokenizer> tokenizer,
            Executor background) {
        int threads = source.threadsIn(spec.precision());
        OnnxModel network =
                OnnxModel.open(spec, store, cache, threads, source.provider(), background);
        try {
            return new LocalModel(spec, tokenizer.join(), network);
        } catch (CompletionException e) {
            network.close();
            throw e.getCause() instanceof NeuralCoreException cause ? cause : e;
        }
    }

    /** Whether an int8 network gives, on this processor, nearly the float32 network's vectors. */
    private boolean agrees(Int8Network int8) {
        return int8.agrees(this::embed);
    }

    private float[] embed(String text) {
        Tensor vectors = Tensor.ofFloats(1, spec.dimension());
        network.newRunner().run(TokenBatch.of(List.of(tokenizer.encode(text))), vectors.floats());
        float[] vector = new float[spec.dimension()];
        vectors.floats().get(0, vector);
        return vector;
    }

    @Override
    public Provider provider() {
        return network.provider();
    }

    @Override
    public int[][] encode(List<String> texts) {
        return tokenizer.encode(texts);
    }

    @Override
    public BatchRunner newRunner() {
        return new HalvingRunner(network.newRunner(), spec.dimension());
    }

    @Override
    public void close() {
        tokenizer.close();
        network.close();
    }
}
