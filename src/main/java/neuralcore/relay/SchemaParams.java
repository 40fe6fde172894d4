package neuralcore.relay;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import neuralcore.relay.schema.Compatibility;
import neuralcore.relay.schema.SchemaRule;
import neuralcore.relay.schema.SchemaSettings;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/** A relay's key {@code schemas} as a configuration or a call gives it. */
final class SchemaParams {
    private static final int USUAL_BYTES = 1 << 20;
    private static final int MOST_BYTES = 16 << 20;
    private static final int MOST_RULES = 1_000;

    private SchemaParams() {}

    static SchemaSettings of(Map<String, @Nullable Object> values) {
        if (values.isEmpty()) {
            return SchemaSettings.NONE;
        }
        Given given = new Given("A relay's 'schemas'", values);
        List<SchemaRule> rules = new ArrayList<>();
        for (Object item : given.list("subjects")) {
            if (!(item instanceof Map<?, ?> map) || rules.size() >= MOST_RULES) {
                throw NeuralCoreException.invalid(
                        "'subjects' of 'schemas' must be a list of at most %d objects."
                                .formatted(MOST_RULES));
            }
            rules.add(rule(new Given("A schema's subject", Given.typed(map))));
        }
        SchemaSettings settings =
                new SchemaSettings(
                        Path.of(given.text("folder")),
                        given.integer("max_bytes", USUAL_BYTES, 1, MOST_BYTES),
                        rules);
        given.done();
        return settings;
    }

    private static SchemaRule rule(Given given) {
        String subject = given.text("subject");
        SchemaRule rule =
                new SchemaRule(
                        subject,
                        given.text("channel", subject),
                        given.choice("compatibility", Compatibility.class, Compatibility.BACKWARD),
                        given.choice("on", SchemaRule.On.class, SchemaRule.On.BOTH),
                        given.integer("version", 0, 0, 999_999));
        given.done();
        return rule;
    }
}
