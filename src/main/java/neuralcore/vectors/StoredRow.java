package neuralcore.vectors;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * A row of a collection, as it was put there.
 *
 * @param id a {@link String} or a {@link Long}
 * @param order when its id was first put; grows from row to row
 * @param vector a copy, or null if it was not asked for
 * @param metadataJson not to be changed; null if it has none
 * @param textBytes UTF-8, not to be changed; null if it has none
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of a result, never compared
public record StoredRow(
        String namespace,
        Object id,
        long order,
        float @Nullable [] vector,
        byte @Nullable [] metadataJson,
        byte @Nullable [] textBytes) {

    public @Nullable Map<String, @Nullable Object> metadata() {
        return metadataJson == null ? null : Json.readObject(ByteBuffer.wrap(metadataJson));
    }

    public @Nullable String text() {
        return textBytes == null ? null : new String(textBytes, StandardCharsets.UTF_8);
    }
}
