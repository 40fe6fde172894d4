package neuralcore.vectors;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a search found.
 *
 * @param id of the row
 * @param score similarity or distance, as the collection's metric says
 * @param metadata of the row, not to be changed; null if it has none
 */
public record Hit(String id, float score, @Nullable Map<String, @Nullable Object> metadata) {}
