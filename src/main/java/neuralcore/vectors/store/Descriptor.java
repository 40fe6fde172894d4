package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * What a collection was made as. Written once, as a {@link BlockFile} without contents.
 *
 * @param number drawn at random; the collection's other files carry it
 * @param options what else its creator said, JSON values
 */
public record Descriptor(
        String name,
        long number,
        int dimension,
        String metric,
        Map<String, @Nullable Object> options) {
    private static final String FILE = "collection.nc";

    void write(Disk disk, Path folder) throws IOException {
        Map<String, @Nullable Object> description = new LinkedHashMap<>();
        description.put("kind", "collection");
        description.put("name", name);
        description.put("number", number);
        description.put("dimension", dimension);
        description.put("metric", metric);
        description.put("options", options);
        try (BlockFileWriter writer = new BlockFileWriter(disk, folder.resolve(FILE))) {
            writer.finish(description);
        }
    }

    /** Reads the descriptor of the collection in this folder. */
    public static Descriptor read(Path folder) throws IOException {
        Path path = folder.resolve(FILE);
        try (BlockFile file = BlockFile.open(path)) {
            Params description = file.description();
            if (!"collection".equals(description.optionalString("kind"))) {
                throw Damage.at(path, 16, "it does not describe a collection");
            }
            Map<String, @Nullable Object> options = description.optionalObject("options");
            return new Descriptor(
                    description.string("name"),
                    description.integer("number"),
                    (int) description.integer("dimension"),
                    description.string("metric"),
                    options == null ? Map.of() : options);
        }
    }
}
