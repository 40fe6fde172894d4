package neuralcore.bus;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * A set of channels by name and configuration, written in YAML: {@code channels:} and under it the
 * channels, each with the keys of {@code neuralcore.messaging.configure}.
 *
 * @param channels what is said of each, by name
 */
public record Profile(SortedMap<String, Params> channels) {

    /** One that comes with the daemon: {@code atlas}. */
    public static Profile shipped(String name) {
        try (InputStream in =
                name.matches("[a-z0-9-]+")
                        ? Profile.class.getResourceAsStream(name + ".yaml")
                        : null) {
            if (in == null) {
                throw new NeuralCoreException(
                        ErrorCode.NOT_FOUND,
                        "There is no profile '%s'; 'atlas' is the one that is shipped."
                                .formatted(name));
            }
            return parse(name, new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.INTERNAL, "Profile '%s' cannot be read.".formatted(name), e);
        }
    }

    public static Profile ofFile(Path file) {
        try {
            return parse(file.toString(), Files.readString(file));
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.CONFIG_INVALID,
                    "The profile %s cannot be read: %s".formatted(file, e),
                    e);
        }
    }

    static Profile parse(String name, String yaml) {
        Object read;
        try {
            read = new Load(LoadSettings.builder().setLabel(name).build()).loadFromString(yaml);
        } catch (YamlEngineException e) {
            throw invalid(name, String.valueOf(e.getMessage()));
        }
        if (!(read instanceof Map<?, ?> whole)
                || !(whole.get("channels") instanceof Map<?, ?> channels)) {
            throw invalid(name, "it must have 'channels:' with names under it.");
        }
        SortedMap<String, Params> byName = new TreeMap<>();
        channels.forEach(
                (channel, keys) -> {
                    if (!(keys instanceof Map<?, ?> said)) {
                        throw invalid(name, "'%s' must have keys.".formatted(channel));
                    }
                    Map<String, @Nullable Object> values = new LinkedHashMap<>();
                    said.forEach((key, value) -> values.put(String.valueOf(key), value));
                    byName.put(String.valueOf(channel), new Params(values));
                });
        return new Profile(byName);
    }

    private static NeuralCoreException invalid(String name, String reason) {
        return new NeuralCoreException(
                ErrorCode.CONFIG_INVALID, "The profile '%s' is wrong: %s".formatted(name, reason));
    }
}
