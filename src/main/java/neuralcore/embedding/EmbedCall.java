package neuralcore.embedding;

import java.util.Arrays;
import java.util.List;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * What a request to {@code neuralcore.embedding.embed} asks for.
 *
 * @param model name or alias; null for the default
 * @param precision of its network; null as the daemon is set
 * @param kind of the texts
 * @param count how many texts
 * @param alone whether each text is computed by itself, so that its vector is the same whatever
 *     else is asked for
 * @param dimensions numbers wanted of each vector; null means all
 * @param normalize whether vectors get length one; null means as the model's authors have it
 */
public record EmbedCall(
        @Nullable String model,
        Precision.@Nullable Choice precision,
        TextKind kind,
        int count,
        boolean alone,
        @Nullable Integer dimensions,
        @Nullable Boolean normalize,
        Request request) {
    private static final String TEXTS = "texts";
    private static final String TOKEN_IDS = "token_ids";

    public static EmbedCall of(Request request) {
        Params params = request.params();
        List<?> ids = params.optionalList(TOKEN_IDS);
        int count =
                ids != null
                        ? ids.size()
                        : params.has(TEXTS)
                                ? params.strings(TEXTS).size()
                                : request.tensor(0, TEXTS + ", strings").rows();
        return new EmbedCall(
                params.optionalString("model"),
                Precision.Choice.of(params),
                TextKind.of(params.string("kind", "document")),
                count,
                // Ids may be none of the model's: they must not fail a batch with others' texts.
                params.bool("batch_invariant", false) || ids != null,
                params.has("dimensions") ? params.integer("dimensions", 1, 1, 1 << 16) : null,
                params.has("normalize") ? params.bool("normalize", true) : null,
                request);
    }

    /** What it wants of a model's vectors. */
    public VectorForm form(ModelSpec spec) {
        return new VectorForm(
                dimensions == null ? spec.dimension() : dimensions,
                normalize == null ? spec.normalize() : normalize);
    }

    /**
     * The token ids that it brings instead of texts, cut to what the model sees; null if it brings
     * texts. They are the model's own, special ones included.
     */
    int @Nullable [][] tokenIds(int most) {
        List<?> lists = request.params().optionalList(TOKEN_IDS);
        if (lists == null) {
            return null;
        }
        int[][] ids = new int[lists.size()][];
        for (int i = 0; i < ids.length; i++) {
            if (!(lists.get(i) instanceof List<?> list) || list.isEmpty()) {
                throw NeuralCoreException.invalid("A text has at least one token id.");
            }
            ids[i] = new int[Math.min(list.size(), most)];
            for (int j = 0; j < ids[i].length; j++) {
                if (!(list.get(j) instanceof Number id)
                        || id.doubleValue() != id.intValue()
                        || id.intValue() < 0) {
                    throw NeuralCoreException.invalid(
                            "A token id is %s; it must be a whole number from 0 on."
                                    .formatted(list.get(j)));
                }
                ids[i][j] = id.intValue();
            }
        }
        return ids;
    }

    /** What the model wants before each of the texts; "" if they are to be taken as they are. */
    String prefix(ModelSpec spec) {
        boolean plain = TextKind.PLAIN.equals(request.params().string("kind", ""));
        return plain ? "" : spec.prefix(kind);
    }

    /** How many tokens the model sees of each text, prefix and special ones included. */
    public int[] count(EmbeddingModel model) {
        String prefix = prefix(model.spec());
        List<String> texts = texts().stream().map(prefix::concat).toList();
        return Arrays.stream(model.encode(texts)).mapToInt(ids -> ids.length).toArray();
    }

    /** The texts, decoded now: for many that takes milliseconds. */
    public List<String> texts() {
        return request.params().has(TEXTS)
                ? request.params().strings(TEXTS)
                : request.tensor(0, TEXTS + ", strings").toStrings();
    }
}
