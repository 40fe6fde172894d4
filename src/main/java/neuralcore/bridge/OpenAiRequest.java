package neuralcore.bridge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The body of {@code POST /v1/embeddings}.
 *
 * @param texts to be embedded; empty if there are tokens
 * @param tokens ids of the model's own tokenizer, text by text, to be embedded as they are
 * @param dimensions numbers wanted of each vector; 0 means all
 * @param base64 whether vectors are answered as base64 of little-endian float32
 */
record OpenAiRequest(
        String model, List<String> texts, List<List<?>> tokens, int dimensions, boolean base64) {

    OpenAiRequest {
        texts = List.copyOf(texts);
        tokens = List.copyOf(tokens);
    }

    static OpenAiRequest of(Map<String, @Nullable Object> body) {
        Params params = new Params(body);
        String format = params.string("encoding_format", "float");
        if (!format.equals("float") && !format.equals("base64")) {
            throw NeuralCoreException.invalid(
                    "'encoding_format' is '%s'; it must be 'float' or 'base64'.".formatted(format));
        }
        long dimensions = params.integer("dimensions", 0);
        if (dimensions < 0 || (params.has("dimensions") && dimensions == 0)) {
            throw NeuralCoreException.invalid(
                    "'dimensions' is %d; it must be at least 1.".formatted(dimensions));
        }
        List<List<?>> tokens = tokens(params.raw("input"));
        return new OpenAiRequest(
                params.string("model"),
                tokens.isEmpty() ? texts(params.raw("input")) : List.of(),
                tokens,
                (int) Math.min(dimensions, Integer.MAX_VALUE),
                format.equals("base64"));
    }

    /** One list of numbers, or several; empty if the input is something else. */
    private static List<List<?>> tokens(@Nullable Object input) {
        if (input instanceof List<?> list && !list.isEmpty()) {
            if (list.getFirst() instanceof Number) {
                return List.of(list);
            }
            if (list.getFirst() instanceof List<?>) {
                List<List<?>> all = new ArrayList<>();
                for (Object entry : list) {
                    if (!(entry instanceof List<?> ids)) {
                        throw NeuralCoreException.invalid("'input' mixes texts and token ids.");
                    }
                    all.add(ids);
                }
                return all;
            }
        }
        return List.of();
    }

    private static List<String> texts(@Nullable Object input) {
        if (input instanceof String text) {
            return List.of(text);
        }
        if (input instanceof List<?> list && !list.isEmpty()) {
            List<String> texts = new ArrayList<>();
            for (Object entry : list) {
                if (!(entry instanceof String text)) {
                    throw NeuralCoreException.invalid(
                            "'input' must be a text, a list of texts, or token ids.");
                }
                texts.add(text);
            }
            return texts;
        }
        throw NeuralCoreException.invalid("'input' must be a text or a list of texts.");
    }

    /** The answer's body. */
    Map<String, @Nullable Object> answer(Reply reply) {
        Tensor vectors = reply.tensors().getFirst();
        int columns = vectors.columns();
        float[] values = vectors.toFloatArray();
        List<Map<String, @Nullable Object>> data = new ArrayList<>(vectors.rows());
        for (int row = 0; row < vectors.rows(); row++) {
            float[] vector = Arrays.copyOfRange(values, row * columns, (row + 1) * columns);
            data.add(
                    Map.of(
                            "object",
                            "embedding",
                            "index",
                            row,
                            "embedding",
                            base64 ? encoded(vector) : listed(vector)));
        }
        long count = new Params(reply.result()).integer("tokens");
        return Map.of(
                "object",
                "list",
                "data",
                data,
                "model",
                String.valueOf(reply.result().get("model")),
                "usage",
                Map.of("prompt_tokens", count, "total_tokens", count));
    }

    private static String encoded(float[] vector) {
        ByteBuffer bytes =
                ByteBuffer.allocate(vector.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        return Base64.getEncoder().encodeToString(bytes.array());
    }

    private static List<Float> listed(float[] vector) {
        List<Float> values = new ArrayList<>(vector.length);
        for (float value : vector) {
            values.add(value);
        }
        return values;
    }
}
