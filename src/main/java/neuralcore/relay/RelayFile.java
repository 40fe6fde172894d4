package neuralcore.relay;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/** The file with the relays that a daemon begins with: {@code relays:}, and a list of them. */
public final class RelayFile {
    private RelayFile() {}

    /**
     * The relays in the file; none if there is no such file.
     *
     * @throws NeuralCoreException {@code CONFIG_INVALID} if something in it cannot be
     */
    public static List<RelayConfig> read(Path file) {
        if (!Files.exists(file)) {
            return List.of();
        }
        try {
            Object root =
                    new Load(LoadSettings.builder().setLabel(file.toString()).build())
                            .loadFromString(Files.readString(file));
            return relays(root);
        } catch (IOException | YamlEngineException | NeuralCoreException e) {
            throw new NeuralCoreException(
                    ErrorCode.CONFIG_INVALID, "%s: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static List<RelayConfig> relays(@Nullable Object root) {
        if (!(root instanceof Map<?, ?> map)
                || !map.keySet().equals(Set.of("relays"))
                || !(map.get("relays") instanceof List<?> list)) {
            throw NeuralCoreException.invalid("It must be 'relays:' and a list of relays.");
        }
        List<RelayConfig> relays = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (Object item : list) {
            if (!(item instanceof Map<?, ?> relay)) {
                throw NeuralCoreException.invalid("A relay must be keys and values.");
            }
            RelayConfig config = RelayConfig.of(Given.typed(relay));
            if (!names.add(config.name())) {
                throw NeuralCoreException.invalid(
                        "There are two relays '%s'.".formatted(config.name()));
            }
            relays.add(config);
        }
        return relays;
    }
}
