package verticles.relay;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.json.schema.Draft;
import io.vertx.json.schema.JsonSchema;
import io.vertx.json.schema.JsonSchemaOptions;
import io.vertx.json.schema.OutputFormat;
import io.vertx.json.schema.OutputUnit;
import io.vertx.json.schema.SchemaException;
import io.vertx.json.schema.SchemaRepository;
import io.vertx.json.schema.Validator;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import neuralcore.relay.schema.SchemaLanguage;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * JSON Schema by Vert.x's library: drafts 4, 7, 2019-09 and 2020-12, the last where a schema says
 * nothing. It stops at the first thing that is wrong, and says where. A schema is itself checked
 * against its draft's, which comes with the library. Blocks on the disk when it first meets a
 * draft; thread-safe.
 */
public final class JsonSchemas implements SchemaLanguage {
    /** What a schema is called that has no name of its own; nothing is fetched from there. */
    private static final String BASE = "urn:neuralcore:schema";

    /** What a draft's own schema refers to. */
    private static final Map<Draft, List<String>> PARTS =
            Map.of(
                    Draft.DRAFT201909,
                    List.of("core", "applicator", "validation", "meta-data", "format", "content"),
                    Draft.DRAFT202012,
                    List.of(
                            "core",
                            "applicator",
                            "unevaluated",
                            "validation",
                            "meta-data",
                            "format-annotation",
                            "content"));

    private final Map<Draft, Validator> drafts = new ConcurrentHashMap<>();

    @Override
    public Check compile(Map<String, @Nullable Object> schema) {
        Object named = schema.get("$schema");
        Draft draft = named == null ? Draft.DRAFT202012 : draft(named);
        try {
            Object told = told(schema);
            String wrong = problem(drafts.computeIfAbsent(draft, this::own).validate(told));
            if (wrong != null) {
                throw NeuralCoreException.invalid("This is no JSON Schema: " + wrong);
            }
            Validator validator =
                    Validator.create(JsonSchema.of((JsonObject) told), options(draft));
            validator.validate(""); // What cannot be followed shows as soon as it is used.
            return payload -> problem(validator.validate(payload));
        } catch (SchemaException | ClassCastException | IllegalArgumentException e) {
            throw NeuralCoreException.invalid("This is no JSON Schema: " + e.getMessage());
        }
    }

    private static JsonSchemaOptions options(Draft draft) {
        return new JsonSchemaOptions()
                .setBaseUri(BASE)
                .setDraft(draft)
                .setOutputFormat(OutputFormat.Basic);
    }

    /** What a schema of the draft must look like. */
    private Validator own(Draft draft) {
        SchemaRepository repository = SchemaRepository.create(options(draft));
        String name = draft.getIdentifier().replaceFirst("^https?://", "").replaceFirst("#$", "");
        repository.dereference(read(name));
        String folder = name.substring(0, name.lastIndexOf('/') + 1) + "meta/";
        for (String part : PARTS.getOrDefault(draft, List.of())) {
            repository.dereference(read(folder + part));
        }
        return repository.validator(draft.getIdentifier());
    }

    /** A resource of the library; the daemon's Vert.x reads none by itself. */
    private static JsonSchema read(String resource) {
        try (InputStream in = JsonSchema.class.getClassLoader().getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException("the library has no " + resource);
            }
            return JsonSchema.of(new JsonObject(Buffer.buffer(in.readAllBytes())));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
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
            case BigInteger number -> number.doubleValue();
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
