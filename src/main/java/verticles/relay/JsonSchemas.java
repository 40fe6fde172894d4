package verticles.relay;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.json.schema.Draft;
import io.vertx.json.schema.JsonSchema;
import io.vertx.json.schema.JsonSchemaOptions;
import io.vertx.json.schema.OutputFormat;
import io.vertx.json.schema.OutputUnit;
import io.vertx.json.schema.SchemaException;
import io.vertx.json.schema.Validator;
import java.util.Collection;
import java.util.Map;
import neuralcore.relay.schema.SchemaLanguage;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * JSON Schema by Vert.x's library: drafts 4, 7, 2019-09 and 2020-12, the last where a schema says
 * nothing. It stops at the first thing that is wrong, and says where.
 */
public final class JsonSchemas implements SchemaLanguage {
    /** What a schema is called that has no name of its own; nothing is fetched from there. */
    private static final String BASE = "urn:neuralcore:schema";

    @Override
    public Check compile(Map<String, @Nullable Object> schema) {
        Object named = schema.get("$schema");
        Draft draft = named == null ? Draft.DRAFT202012 : draft(named);
        try {
            JsonSchemaOptions options =
                    new JsonSchemaOptions()
                            .setBaseUri(BASE)
                            .setDraft(draft)
                            .setOutputFormat(OutputFormat.Basic);
            Validator validator =
                    Validator.create(JsonSchema.of((JsonObject) told(schema)), options);
            validator.validate(""); // What cannot be followed shows as soon as it is used.
            return payload -> problem(validator.validate(payload));
        } catch (SchemaException | ClassCastException | IllegalArgumentException e) {
            throw NeuralCoreException.invalid("This is no JSON Schema: " + e.getMessage());
        }
    }

    private static Draft draft(Object named) {
        String plain = String.valueOf(named).replaceFirst("#$", "");
        for (Draft draft : Draft.values()) {
            if (draft.getIdentifier().replaceFirst("#$", "").equals(plain)) {
                return draft;
            }
        }
        throw NeuralCoreException.invalid(
                "A schema says '$schema' is '%s'; known are drafts 4, 7, 2019-09 and 2020-12."
                        .formatted(named));
    }

    /** As the library wants a schema: in its own objects, and small numbers as integers. */
    private static @Nullable Object told(@Nullable Object node) {
        return switch (node) {
            case Map<?, ?> map -> {
                JsonObject object = new JsonObject();
                map.forEach((key, value) -> object.put(String.valueOf(key), told(value)));
                yield object;
            }
            case Collection<?> list -> {
                JsonArray array = new JsonArray();
                list.forEach(value -> array.add(told(value)));
                yield array;
            }
            case Long number when number == number.intValue() -> number.intValue();
            case null, default -> node;
        };
    }

    private static @Nullable String problem(OutputUnit found) {
        if (Boolean.TRUE.equals(found.getValid())) {
            return null;
        }
        // The last error is the innermost: the others say of what holds it that something is wrong.
        OutputUnit inner =
                found.getErrors() == null || found.getErrors().isEmpty()
                        ? found
                        : found.getErrors().getLast();
        return "%s (%s)".formatted(inner.getError(), inner.getInstanceLocation());
    }
}
