package neuralcore.vectors;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A row of a collection, as it was put there.
 *
 * @param vector a copy
 * @param metadata not to be changed; null if it has none
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of a result, never compared
public record StoredRow(
        String id, float[] vector, @Nullable Map<String, @Nullable Object> metadata) {}
