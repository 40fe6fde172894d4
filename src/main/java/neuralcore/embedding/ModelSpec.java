package neuralcore.embedding;

import java.util.List;

/**
 * What must be known of a model to get the vectors that its authors get.
 *
 * @param name how replies call it
 * @param aliases further names that requests may use
 * @param dimension of its vectors
 * @param maxTokens a text's tokens beyond these are ignored, the special ones counted
 * @param pooling how the tokens' vectors become the text's
 * @param normalize whether vectors get length 1
 * @param queryPrefix put before each query
 * @param documentPrefix put before each document
 * @param output name of the network's output that holds a vector a token
 * @param precision of its weights
 * @param graph the network in ONNX form
 * @param tokenizer in the form of Hugging Face's {@code tokenizer.json}
 * @param source where the files come from, for the message that says they are missing
 */
public record ModelSpec(
        String name,
        List<String> aliases,
        int dimension,
        int maxTokens,
        Pooling pooling,
        boolean normalize,
        String queryPrefix,
        String documentPrefix,
        String output,
        Precision precision,
        ModelFile graph,
        ModelFile tokenizer,
        String source) {

    public ModelSpec {
        if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
            throw new IllegalArgumentException("'" + name + "' cannot be a model's name.");
        }
        if (dimension < 1 || maxTokens < 3) {
            throw new IllegalArgumentException(
                    "%s: dimension %d must be at least 1, max tokens %d at least 3."
                            .formatted(name, dimension, maxTokens));
        }
        aliases = List.copyOf(aliases);
    }

    /** The same model with its int8 network. */
    ModelSpec withInt8(ModelFile network) {
        return new ModelSpec(
                name,
                aliases,
                dimension,
                maxTokens,
                pooling,
                normalize,
                queryPrefix,
                documentPrefix,
                output,
                Precision.INT8,
                network,
                tokenizer,
                source);
    }

    /** Whether a request that says {@code wanted} means this model. Case does not matter. */
    public boolean isCalled(String wanted) {
        return name.equalsIgnoreCase(wanted)
                || aliases.stream().anyMatch(alias -> alias.equalsIgnoreCase(wanted));
    }

    /** What is put before a text of this kind. */
    public String prefix(TextKind kind) {
        return switch (kind) {
            case QUERY -> queryPrefix;
            case DOCUMENT -> documentPrefix;
        };
    }
}
