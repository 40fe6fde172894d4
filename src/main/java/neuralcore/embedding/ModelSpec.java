package neuralcore.embedding;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;

/**
 * What must be known of a model to get the vectors that its authors get.
 *
 * @param name how replies call it
 * @param aliases further names that requests may use
 * @param repository its place on the Hugging Face hub, {@code organization/name}; empty if it has
 *     none
 * @param dimension of its vectors
 * @param maxTokens a text's tokens beyond these are ignored, the special ones counted
 * @param pooling how the tokens' vectors become the text's
 * @param normalize whether vectors get length 1 where a request does not say
 * @param queryPrefix put before each query
 * @param documentPrefix put before each document
 * @param inputs names of the network's inputs for ids, mask and token types
 * @param output name of the network's output that holds a vector a token, or one a text
 * @param precision of its weights
 * @param graph the network in ONNX form
 * @param tokenizer in the form of Hugging Face's {@code tokenizer.json}
 * @param source where the files come from, for the message that says they are missing
 */
public record ModelSpec(
        String name,
        List<String> aliases,
        String repository,
        int dimension,
        int maxTokens,
        Pooling pooling,
        boolean normalize,
        String queryPrefix,
        String documentPrefix,
        List<String> inputs,
        String output,
        Precision precision,
        ModelFile graph,
        ModelFile tokenizer,
        String source) {
    static final List<String> BERT_INPUTS =
            List.of("input_ids", "attention_mask", "token_type_ids");

    /**
     * Of everything that makes its vectors what they are: two models with the same digest give the
     * same vectors.
     */
    public String digest() {
        String whole =
                String.join(
                        "\n",
                        graph.sha256(),
                        tokenizer.sha256(),
                        precision.name(),
                        pooling.name(),
                        queryPrefix,
                        documentPrefix,
                        "%d %d %b".formatted(dimension, maxTokens, normalize));
        return HexFormat.of()
                .formatHex(ModelStore.sha256().digest(whole.getBytes(StandardCharsets.UTF_8)));
    }

    public ModelSpec {
        if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
            throw new IllegalArgumentException("'" + name + "' cannot be a model's name.");
        }
        if (dimension < 1 || dimension > 1 << 16 || maxTokens < 3 || maxTokens > 1 << 20) {
            throw new IllegalArgumentException(
                    "%s: dimension %d must be 1 to %d, max tokens %d 3 to %d."
                            .formatted(name, dimension, 1 << 16, maxTokens, 1 << 20));
        }
        if (inputs.isEmpty() || inputs.size() > 3) {
            throw new IllegalArgumentException(
                    "%s: inputs are %s; names of ids, mask and types are expected."
                            .formatted(name, inputs));
        }
        aliases = List.copyOf(aliases);
        inputs = List.copyOf(inputs);
    }

    /** The same model with another form of its network. */
    ModelSpec withNetwork(Precision form, ModelFile network) {
        return with(form, network, tokenizer);
    }

    /** The same model with files that are known exactly. */
    ModelSpec withFiles(ModelFile network, ModelFile tokens) {
        return with(precision, network, tokens);
    }

    private ModelSpec with(Precision form, ModelFile network, ModelFile tokens) {
        return new ModelSpec(
                name,
                aliases,
                repository,
                dimension,
                maxTokens,
                pooling,
                normalize,
                queryPrefix,
                documentPrefix,
                inputs,
                output,
                form,
                network,
                tokens,
                source);
    }

    /** Whether a request that says {@code wanted} means this model. Case does not matter. */
    public boolean isCalled(String wanted) {
        return name.equalsIgnoreCase(wanted)
                || (!repository.isEmpty() && repository.equalsIgnoreCase(wanted))
                || aliases.stream().anyMatch(alias -> alias.equalsIgnoreCase(wanted));
    }

    /** What is put before a text of this kind. */
    public String prefix(TextKind kind) {
        return switch (kind) {
            case QUERY -> queryPrefix;
            case DOCUMENT -> documentPrefix;
        };
    }

    /** The form that its authors give its vectors. */
    public VectorForm form() {
        return new VectorForm(dimension, normalize);
    }
}
