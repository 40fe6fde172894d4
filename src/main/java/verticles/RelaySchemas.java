package verticles;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.schema.SchemaRegistry;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import org.jspecify.annotations.Nullable;
import verticles.relay.JsonSchemas;

/** A relay's schemas, as it begins with them and as they are asked for by a call. */
record RelaySchemas(Vertx vertx, SchemaRegistry registry) {

    /** Reads the files; nothing of the schemas' library is loaded where there are none. */
    static Future<RelaySchemas> read(Vertx vertx, RelayConfig config) {
        return vertx.executeBlocking(() -> new SchemaRegistry(config.schemas(), new JsonSchemas()))
                .map(registry -> new RelaySchemas(vertx, Objects.requireNonNull(registry)));
    }

    /**
     * @param params {@code action}: {@code list}, {@code check} or {@code add} of a {@code schema}
     *     to a {@code subject}, or {@code reload}
     */
    Future<Reply> answer(Params params) {
        String action = params.string("action", "list");
        return vertx.executeBlocking(() -> Reply.of(answer(action, params)))
                .map(Objects::requireNonNull);
    }

    private Map<String, @Nullable Object> answer(String action, Params params) {
        return switch (action) {
            case "list" -> listed();
            case "reload" -> {
                registry.reload();
                yield listed();
            }
            case "check" -> checked(params);
            case "add" -> added(params);
            default ->
                    throw NeuralCoreException.invalid(
                            "Schemas know no '%s'; they know list, check, add and reload."
                                    .formatted(action));
        };
    }

    private Map<String, @Nullable Object> listed() {
        Map<String, @Nullable Object> said = new LinkedHashMap<>();
        said.put("schemas", registry.describe());
        return said;
    }

    private Map<String, @Nullable Object> checked(Params params) {
        List<String> breaks = registry.check(params.string("subject"), schema(params));
        Map<String, @Nullable Object> said = new LinkedHashMap<>();
        said.put("compatible", breaks.isEmpty());
        said.put("breaks", breaks);
        return said;
    }

    private Map<String, @Nullable Object> added(Params params) {
        String subject = params.string("subject");
        Map<String, @Nullable Object> said = new LinkedHashMap<>();
        said.put("subject", subject);
        said.put("version", (long) registry.add(subject, schema(params)));
        return said;
    }

    private static Map<String, @Nullable Object> schema(Params params) {
        Map<String, @Nullable Object> schema = params.optionalObject("schema");
        if (schema == null) {
            throw NeuralCoreException.invalid("'schema' is missing: an object.");
        }
        return schema;
    }
}
