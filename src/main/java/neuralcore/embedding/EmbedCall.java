package neuralcore.embedding;

import java.util.List;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * What a request to {@code neuralcore.embedding.embed} asks for.
 *
 * @param model name or alias; null for the default
 * @param kind of the texts
 * @param count how many texts
 * @param alone whether each text is computed by itself, so that its vector is the same whatever
 *     else is asked for
 */
public record EmbedCall(
        @Nullable String model, TextKind kind, int count, boolean alone, Request request) {
    private static final String TEXTS = "texts";

    public static EmbedCall of(Request request) {
        Params params = request.params();
        int count =
                params.has(TEXTS)
                        ? params.strings(TEXTS).size()
                        : request.tensor(0, TEXTS + ", strings").rows();
        return new EmbedCall(
                params.optionalString("model"),
                TextKind.of(params.string("kind", "document")),
                count,
                params.bool("batch_invariant", false),
                request);
    }

    /** The texts, decoded now: for many that takes milliseconds. */
    public List<String> texts() {
        return request.params().has(TEXTS)
                ? request.params().strings(TEXTS)
                : request.tensor(0, TEXTS + ", strings").toStrings();
    }
}
