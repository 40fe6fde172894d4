package neuralcore.bridge;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import org.jspecify.annotations.Nullable;

/**
 * The body of {@code POST /v1/rerank}, as several providers have it.
 *
 * @param documents to be ranked
 * @param top how many of the best are answered
 * @param echo whether their texts are answered, too
 */
record RerankRequest(String model, String query, List<String> documents, int top, boolean echo) {
    private static final String STANDARD = "ms-marco-MiniLM-L6-v2";

    RerankRequest {
        documents = List.copyOf(documents);
    }

    static RerankRequest of(Map<String, @Nullable Object> body) {
        Params params = new Params(body);
        List<?> given = params.optionalList("documents");
        if (given == null || given.isEmpty()) {
            throw NeuralCoreException.invalid("'documents' must be a list of texts.");
        }
        List<String> documents = new ArrayList<>();
        for (Object each : given) {
            Object text = each instanceof Map<?, ?> object ? object.get("text") : each;
            if (!(text instanceof String found)) {
                throw NeuralCoreException.invalid(
                        "'documents' must be texts, or objects with a 'text'.");
            }
            documents.add(found);
        }
        return new RerankRequest(
                params.string("model", STANDARD),
                params.string("query"),
                documents,
                params.integer("top_n", documents.size(), 1, Integer.MAX_VALUE),
                params.bool("return_documents", false));
    }

    /** The answer's body: the best first, with scores between 0 and 1. */
    Map<String, @Nullable Object> answer(Reply reply) {
        float[] scores = reply.tensors().getFirst().toFloatArray();
        List<Map<String, @Nullable Object>> results = new ArrayList<>();
        IntStream.range(0, scores.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -scores[i]))
                .limit(top)
                .forEach(
                        i -> {
                            Map<String, @Nullable Object> result = new LinkedHashMap<>();
                            result.put("index", i);
                            result.put("relevance_score", 1 / (1 + Math.exp(-scores[i])));
                            if (echo) {
                                result.put("document", Map.of("text", documents.get(i)));
                            }
                            results.add(result);
                        });
        long tokens = new Params(reply.result()).integer("tokens");
        return Map.of(
                "model",
                String.valueOf(reply.result().get("model")),
                "results",
                results,
                "usage",
                Map.of("total_tokens", tokens));
    }
}
