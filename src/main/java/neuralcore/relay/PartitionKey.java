package neuralcore.relay;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import neuralcore.wire.Envelope;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;

/**
 * What messages must have in common to stay in order: they go to the same partition of a topic.
 *
 * <p>As users write it: {@code channel}, {@code id} (each message has its own, so all partitions
 * get some), or the way to a field, {@code payload.user.id} or {@code meta.tenant}. A message
 * without that field goes by its channel. Only a field's way has a message's content decoded.
 */
public record PartitionKey(String text) {
    public static final PartitionKey CHANNEL = new PartitionKey("channel");

    public PartitionKey {
        if (!text.matches("channel|id|(payload|meta)(\\.[^.]+){1,8}") || text.length() > 256) {
            throw NeuralCoreException.invalid(
                    "A route has 'key' '%s'; it must be 'channel', 'id', or a field such as 'payload.user.id' or 'meta.tenant'."
                            .formatted(text));
        }
    }

    public byte[] of(Envelope message) {
        return switch (text) {
            case "channel" -> bytes(message.channel());
            case "id" -> message.idBytes();
            default -> field(message);
        };
    }

    private byte[] field(Envelope message) {
        List<String> way = List.of(text.split("\\."));
        boolean inMeta = way.getFirst().equals("meta");
        Object found =
                inMeta
                        ? message.metaLength() > 0 ? Payloads.meta(message) : null
                        : Payloads.payload(message);
        for (String step : way.subList(1, way.size())) {
            found = found instanceof Map<?, ?> map ? map.get(step) : null;
        }
        return keyed(found, message);
    }

    private static byte[] keyed(@Nullable Object found, Envelope message) {
        return switch (found) {
            case null -> bytes(message.channel());
            case String word -> bytes(word);
            default -> Json.write(found);
        };
    }

    private static byte[] bytes(String word) {
        return word.getBytes(StandardCharsets.UTF_8);
    }
}
