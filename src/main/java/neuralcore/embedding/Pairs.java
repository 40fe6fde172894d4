package neuralcore.embedding;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * A query beside each of some texts, as a cross-encoder wants them: a network whose "vector" is one
 * number, how well the two fit.
 *
 * <p>The two are joined as BERT has it, {@code [CLS] query [SEP] text [SEP]}; {@link OnnxModel}
 * gives what stands behind the first separator the other token type. Of a long query the network
 * sees at most half of its tokens; of the text, what then has room.
 */
public final class Pairs {
    private Pairs() {}

    /** Whether a model scores pairs. */
    public static boolean scores(ModelSpec spec) {
        return spec.dimension() == 1;
    }

    /** A call that gives one number a text; not for an event loop, as it tokenizes. */
    public static EmbedCall of(
            Request request, String query, List<String> texts, EmbeddingModel model) {
        ModelSpec spec = model.spec();
        if (!scores(spec)) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_SUPPORTED,
                    "%s embeds texts; ranking wants a cross-encoder, such as ms-marco-MiniLM-L6-v2."
                            .formatted(spec.name()));
        }
        int[] first = model.encode(List.of(query))[0];
        List<List<Long>> pairs = new ArrayList<>(texts.size());
        for (int[] second : model.encode(texts)) {
            pairs.add(joined(first, second, spec.maxTokens()));
        }
        Map<String, @Nullable Object> params = new LinkedHashMap<>();
        params.put("token_ids", pairs);
        Request joined =
                new Request(request.address(), new Params(params), List.of(), request.connection());
        return new EmbedCall(
                spec.name(), null, TextKind.QUERY, texts.size(), false, null, false, joined);
    }

    private static List<Long> joined(int[] query, int[] text, int most) {
        int end = query[query.length - 1];
        List<Long> ids = new ArrayList<>();
        int kept = Math.min(query.length, Math.max(2, most / 2));
        for (int i = 0; i < kept - 1; i++) {
            ids.add((long) query[i]);
        }
        ids.add((long) end);
        // Without the text's own [CLS], and with its [SEP] at the end however much is cut.
        for (int i = 1; i < text.length - 1 && ids.size() < most - 1; i++) {
            ids.add((long) text[i]);
        }
        ids.add((long) end);
        return ids;
    }
}
