package neuralcore.vectors;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A collection at a glance.
 *
 * @param count rows
 * @param bytes memory it takes, unused room included
 * @param durable whether it is kept on disk
 * @param metadata what its creator said of it
 * @param problem why it cannot be read, or ""
 */
public record CollectionInfo(
        String name,
        int dimension,
        Metric metric,
        int count,
        long bytes,
        boolean durable,
        Map<String, @Nullable Object> metadata,
        String problem) {

    /** One that cannot be read. */
    static CollectionInfo unreadable(String name, String problem) {
        return new CollectionInfo(name, 0, Metric.COSINE, 0, 0, true, Map.of(), problem);
    }
}
