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
 * @param dimensions numbers kept of each vector; 0 means all
 * @param base64 whether vectors are answered as base64 of little-endian float32
 */
record OpenAiRequest(String model, List<String> texts, int dimensions, boolean base64) {

    OpenAiRequest {
        texts = List.copyOf(texts);
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
        return new OpenAiRequest(
                params.string("model"),
                texts(params.raw("input")),
                (int) Math.min(dimensions, Integer.MAX_VALUE),
                format.equals("base64"));
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
                            "'input' must be a text or a list of texts; token numbers of other models mean nothing here.");
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
        if (dimensions > columns) {
            throw NeuralCoreException.invalid(
                    "'dimensions' is %d; %s has %d.".formatted(dimensions, model, columns));
        }
        float[] values = vectors.toFloatArray();
        List<Map<String, @Nullable Object>> data = new ArrayList<>(vectors.rows());
        for (int row = 0; row < vectors.rows(); row++) {
            float[] vector = Arrays.copyOfRange(values, row * columns, (row + 1) * columns);
            if (dimensions > 0) {
                vector = shortened(vector, dimensions);
            }
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

    /** The first numbers of a vector, at length one again. */
    private static float[] shortened(float[] vector, int dimensions) {
        float[] kept = Arrays.copyOf(vector, dimensions);
        double squares = 0;
        for (float value : kept) {
            squares += (double) value * value;
        }
        double scale = squares == 0 ? 1 : 1 / Math.sqrt(squares);
        for (int i = 0; i < kept.length; i++) {
            kept[i] = (float) (kept[i] * scale);
        }
        return kept;
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
