package neuralcore.relay;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * Why a message goes to the dead letters.
 *
 * @param kind as a letter's {@code error_type}
 */
public record Refusal(String kind, String reason) {

    /** The broker will never take it. */
    public static Refusal ofBroker(String reason) {
        return new Refusal("RelayRefused", reason);
    }

    /** It is not as its channel's schema says. */
    public static Refusal ofSchema(String reason) {
        return new Refusal("SchemaInvalid", reason);
    }

    /** In the bus's form. */
    public String toJson() {
        Map<String, @Nullable Object> told = new LinkedHashMap<>();
        told.put("error_type", kind);
        told.put("error", reason);
        told.put("traceback", "");
        return new String(Json.write(told), StandardCharsets.UTF_8);
    }
}
