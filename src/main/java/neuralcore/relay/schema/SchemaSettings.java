package neuralcore.relay.schema;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import neuralcore.wire.NeuralCoreException;

/**
 * Which messages of a relay must be as a schema says.
 *
 * @param folder of the schemas' files
 * @param maxBytes payloads that are longer are not checked but refused
 * @param rules the first that a channel matches is the one that counts
 */
public record SchemaSettings(Path folder, int maxBytes, List<SchemaRule> rules) {
    public static final SchemaSettings NONE = new SchemaSettings(Path.of(""), 0, List.of());

    public SchemaSettings {
        rules = List.copyOf(rules);
        Set<String> subjects = new HashSet<>();
        for (SchemaRule rule : rules) {
            if (!subjects.add(rule.subject())) {
                throw NeuralCoreException.invalid(
                        "Two of a relay's schemas have the subject '%s'."
                                .formatted(rule.subject()));
            }
        }
    }

    public boolean isEmpty() {
        return rules.isEmpty();
    }
}
