package neuralcore.vectors;

import java.util.List;
import java.util.Map;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Rows to be put into a collection. Handed over: neither the arrays nor the metadata may change
 * afterwards.
 *
 * @param namespace where the ids are known; "" is the one that is there by default
 * @param ids one a row, a {@link String} or a {@link Long}; of equal ones the last wins
 * @param vectors {@code ids.size()} rows
 * @param metadata one entry a row, or null if no row has any
 * @param texts one entry a row, or null if no row has any
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of arguments, never compared
public record Batch(
        String namespace,
        List<Object> ids,
        float[] vectors,
        @Nullable List<@Nullable Map<String, @Nullable Object>> metadata,
        @Nullable List<@Nullable String> texts) {

    // Not in the compact form, whose parameters lose their type annotations in the class file.
    public Batch(
            String namespace,
            List<Object> ids,
            float[] vectors,
            @Nullable List<@Nullable Map<String, @Nullable Object>> metadata,
            @Nullable List<@Nullable String> texts) {
        requireOneARow("metadata", metadata, ids);
        requireOneARow("texts", texts, ids);
        Ids.check(ids);
        this.namespace = namespace;
        this.ids = ids;
        this.vectors = vectors;
        this.metadata = metadata;
        this.texts = texts;
    }

    /** Without namespace and texts. */
    public Batch(
            List<Object> ids,
            float[] vectors,
            @Nullable List<@Nullable Map<String, @Nullable Object>> metadata) {
        this("", ids, vectors, metadata, null);
    }

    private static void requireOneARow(String name, @Nullable List<?> values, List<Object> ids) {
        if (values != null && values.size() != ids.size()) {
            throw NeuralCoreException.invalid(
                    "'%s' has %d entries for %d ids; give one (or null) a row."
                            .formatted(name, values.size(), ids.size()));
        }
    }

    /** The metadata of row i, null if it has none. */
    @Nullable Map<String, @Nullable Object> metadata(int i) {
        return metadata == null ? null : metadata.get(i);
    }

    /** The same as JSON. */
    byte @Nullable [] metadataJson(int i) {
        Map<String, @Nullable Object> map = metadata(i);
        return map == null ? null : Json.write(map);
    }

    byte @Nullable [] text(int i) {
        String text = texts == null ? null : texts.get(i);
        return text == null ? null : text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }
}
