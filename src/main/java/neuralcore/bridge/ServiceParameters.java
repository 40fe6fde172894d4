package neuralcore.bridge;

import static java.util.Map.entry;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.ElementType;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Gives JSON clients the services that take arrays: lists under the names of {@code
 * docs/protocol.md} become attachments, and an answer's attachments become lists.
 */
final class ServiceParameters {

    private record Attached(String name, ElementType type, boolean optional) {
        Attached(String name, ElementType type) {
            this(name, type, false);
        }
    }

    private static final Attached IDS = new Attached("ids", ElementType.STRINGS);
    private static final Attached SOME_IDS = new Attached("ids", ElementType.STRINGS, true);
    private static final Attached QUERIES = new Attached("queries", ElementType.FLOAT32);
    private static final Attached DOCUMENTS = new Attached("documents", ElementType.FLOAT32);

    private static final Map<String, List<Attached>> ATTACHED =
            Map.ofEntries(
                    entry(
                            Addresses.EMBEDDING_EMBED,
                            List.of(new Attached("texts", ElementType.STRINGS))),
                    entry(
                            Addresses.EMBEDDING_RERANK,
                            List.of(new Attached("texts", ElementType.STRINGS))),
                    entry(
                            Addresses.EMBEDDING_TOKENS,
                            List.of(new Attached("texts", ElementType.STRINGS))),
                    entry(Addresses.VECTORS_SIMILARITY, List.of(QUERIES, DOCUMENTS)),
                    entry(Addresses.VECTORS_TOP_K, List.of(QUERIES, DOCUMENTS)),
                    entry(
                            Addresses.VECTORS_UPSERT,
                            List.of(IDS, new Attached("vectors", ElementType.FLOAT32))),
                    entry(Addresses.VECTORS_GET, List.of(IDS)),
                    entry(Addresses.VECTORS_DELETE, List.of(SOME_IDS)),
                    entry(Addresses.VECTORS_COUNT, List.of(SOME_IDS)),
                    entry(Addresses.VECTORS_SCROLL, List.of(SOME_IDS)),
                    entry(Addresses.VECTORS_SEARCH, List.of(QUERIES, SOME_IDS)));

    private ServiceParameters() {}

    static Request toRequest(
            String address, @Nullable Object body, String connection, String client) {
        Map<String, @Nullable Object> params = new LinkedHashMap<>();
        switch (body) {
            case null -> {}
            case Map<?, ?> object ->
                    object.forEach((name, value) -> params.put(String.valueOf(name), value));
            default ->
                    throw NeuralCoreException.invalid(
                            "The body for %s must be an object of parameters.".formatted(address));
        }
        List<Tensor> tensors = new ArrayList<>();
        for (Attached attached : ATTACHED.getOrDefault(address, List.of())) {
            Object value = params.remove(attached.name());
            if (value != null || !attached.optional()) {
                tensors.add(toTensor(attached, value));
            }
        }
        return new Request(address, new Params(params), tensors, connection, client);
    }

    static Map<String, @Nullable Object> toBody(Reply reply) {
        Map<String, @Nullable Object> body = new LinkedHashMap<>(reply.result());
        if (!reply.tensors().isEmpty()) {
            body.put("tensors", reply.tensors().stream().map(ServiceParameters::toList).toList());
        }
        return body;
    }

    private static Tensor toTensor(Attached attached, @Nullable Object value) {
        if (!(value instanceof List<?> list)) {
            throw NeuralCoreException.invalid("'" + attached.name() + "' must be a list.");
        }
        if (attached.name().equals("ids") && list.stream().allMatch(Long.class::isInstance)) {
            return Tensor.ofLongs(list.stream().mapToLong(id -> (Long) id).toArray());
        }
        if (attached.type() == ElementType.STRINGS) {
            return Tensor.ofStrings(
                    new Params(Map.of(attached.name(), list)).strings(attached.name()));
        }
        return toMatrix(attached.name(), list);
    }

    private static Tensor toMatrix(String name, List<?> rows) {
        int columns = rows.isEmpty() ? 0 : row(name, rows, 0).size();
        ByteBuffer data =
                ByteBuffer.allocate(Math.multiplyExact(Math.multiplyExact(rows.size(), columns), 4))
                        .order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < rows.size(); i++) {
            List<?> row = row(name, rows, i);
            if (row.size() != columns) {
                throw NeuralCoreException.invalid(
                        "Row %d of '%s' has %d numbers, row 0 has %d."
                                .formatted(i, name, row.size(), columns));
            }
            for (Object number : row) {
                if (!(number instanceof Number element)) {
                    throw NeuralCoreException.invalid(
                            "Row %d of '%s' holds something that is no number.".formatted(i, name));
                }
                data.putFloat(element.floatValue());
            }
        }
        return new Tensor(ElementType.FLOAT32, rows.size(), columns, data.flip());
    }

    private static List<?> row(String name, List<?> rows, int index) {
        if (rows.get(index) instanceof List<?> row) {
            return row;
        }
        throw NeuralCoreException.invalid(
                "Row %d of '%s' is no list of numbers.".formatted(index, name));
    }

    private static Object toList(Tensor tensor) {
        return switch (tensor.type()) {
            case STRINGS -> tensor.toStrings();
            case FLOAT32 -> toRows(tensor, boxed(tensor.toFloatArray()));
            case INT32 -> toRows(tensor, Arrays.stream(tensor.toIntArray()).boxed().toList());
            case INT64 -> toRows(tensor, Arrays.stream(tensor.toLongArray()).boxed().toList());
            case INT8, BYTES -> {
                byte[] bytes = new byte[tensor.data().remaining()];
                tensor.data().duplicate().get(bytes);
                yield Base64.getEncoder().encodeToString(bytes);
            }
        };
    }

    private static List<?> toRows(Tensor tensor, List<?> elements) {
        int columns = tensor.columns();
        if (columns == 0) {
            return elements;
        }
        List<Object> rows = new ArrayList<>(tensor.rows());
        for (int i = 0; i < tensor.rows(); i++) {
            rows.add(elements.subList(i * columns, (i + 1) * columns));
        }
        return rows;
    }

    private static List<Float> boxed(float[] values) {
        List<Float> boxed = new ArrayList<>(values.length);
        for (float value : values) {
            boxed.add(value);
        }
        return boxed;
    }
}
