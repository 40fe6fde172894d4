package neuralcore.bridge;

import io.vertx.core.MultiMap;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/** The fields of JSON frames, checked, and the form they have on the event bus. */
final class TextFields {
    static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

    private TextFields() {}

    static String address(Map<String, @Nullable Object> json) {
        if (!(json.get("address") instanceof String address) || address.isEmpty()) {
            throw NeuralCoreException.invalid("missing_address: the frame names no address.");
        }
        int length = address.getBytes(StandardCharsets.UTF_8).length;
        if (length > Limits.NAME_BYTES) {
            throw NeuralCoreException.invalid(
                    "The address has %d bytes; at most %d are allowed."
                            .formatted(length, Limits.NAME_BYTES));
        }
        return address;
    }

    @SuppressWarnings("unchecked")
    static Params headers(Map<String, @Nullable Object> json) {
        return json.get("headers") instanceof Map<?, ?> headers
                ? new Params((Map<String, @Nullable Object>) headers)
                : Params.EMPTY;
    }

    /** A header's integer, whether it came as a number or, as event-bus headers do, as text. */
    static long integer(Params headers, String name, long otherwise) {
        if (headers.raw(name) instanceof String text) {
            try {
                return Long.parseLong(text);
            } catch (NumberFormatException e) {
                throw NeuralCoreException.invalid(
                        "The header '%s' is '%s'; it must be an integer."
                                .formatted(name, shortened(text)));
            }
        }
        return headers.integer(name, otherwise);
    }

    static Duration timeout(Map<String, @Nullable Object> json) {
        long millis = integer(headers(json), "timeout", DEFAULT_TIMEOUT.toMillis());
        return Duration.ofMillis(Math.clamp(millis, 1, Duration.ofHours(1).toMillis()));
    }

    /** Headers travel; {@code timeout} is obeyed; a client chooses no codec. */
    static DeliveryOptions options(Map<String, @Nullable Object> json) {
        MultiMap headers = MultiMap.caseInsensitiveMultiMap();
        headers(json)
                .values()
                .forEach(
                        (name, value) -> {
                            if (!"token".equals(name) && value != null) {
                                headers.add(name, String.valueOf(value));
                            }
                        });
        return new DeliveryOptions().setSendTimeout(timeout(json).toMillis()).setHeaders(headers);
    }

    @SuppressWarnings("unchecked")
    static @Nullable Object toEventBus(@Nullable Object body) {
        return switch (body) {
            case Map<?, ?> map -> new JsonObject((Map<String, Object>) map);
            case List<?> list -> new JsonArray(list);
            case null, default -> body;
        };
    }

    static @Nullable Object fromEventBus(@Nullable Object body, String address) {
        return switch (body) {
            case null -> null;
            case JsonObject object -> object.getMap();
            case JsonArray array -> array.getList();
            case String _, Number _, Boolean _ -> body;
            default ->
                    throw new NeuralCoreException(
                            ErrorCode.INVALID_REQUEST,
                            "A message at '%s' has no JSON form (%s)."
                                    .formatted(address, body.getClass().getSimpleName()));
        };
    }

    static String shortened(String text) {
        return text.length() <= 80 ? text : text.substring(0, 80) + "…";
    }
}
