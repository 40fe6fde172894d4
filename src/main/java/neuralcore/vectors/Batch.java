package neuralcore.vectors;

import java.util.List;
import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Rows to be put into a collection. Handed over: neither the arrays nor the metadata may change
 * afterwards.
 *
 * @param ids one a row; of equal ones the last wins
 * @param vectors {@code ids.size()} rows
 * @param metadata one entry a row, or null if no row has any
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of arguments, never compared
public record Batch(
        List<String> ids,
        float[] vectors,
        @Nullable List<@Nullable Map<String, @Nullable Object>> metadata) {
    private static final int MAX_ID_LENGTH = 1_024;

    // Not in the compact form, whose parameters lose their type annotations in the class file.
    public Batch(
            List<String> ids,
            float[] vectors,
            @Nullable List<@Nullable Map<String, @Nullable Object>> metadata) {
        if (metadata != null && metadata.size() != ids.size()) {
            throw NeuralCoreException.invalid(
                    "'metadata' has %d entries for %d ids; give one (or null) a row."
                            .formatted(metadata.size(), ids.size()));
        }
        for (int i = 0; i < ids.size(); i++) {
            int length = ids.get(i).length();
            if (length == 0 || length > MAX_ID_LENGTH) {
                throw NeuralCoreException.invalid(
                        "Id %d has %d characters; an id has 1 to %d."
                                .formatted(i, length, MAX_ID_LENGTH));
            }
        }
        this.ids = ids;
        this.vectors = vectors;
        this.metadata = metadata;
    }

    /** The metadata of row i, null if it has none. */
    @Nullable Map<String, @Nullable Object> metadata(int i) {
        return metadata == null ? null : metadata.get(i);
    }
}
