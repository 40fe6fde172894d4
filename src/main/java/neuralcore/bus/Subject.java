package neuralcore.bus;

import java.util.List;
import java.util.Map;
import neuralcore.wire.Envelope;
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;

/**
 * The message that filters are asked about; its meta is decoded once, when the first asks for it.
 */
final class Subject {
    private @Nullable Envelope envelope;
    private @Nullable Object meta;
    private boolean decoded;

    Subject of(Envelope message) {
        envelope = message;
        meta = null;
        decoded = false;
        return this;
    }

    Envelope envelope() {
        Envelope message = envelope;
        if (message == null) {
            throw new IllegalStateException("there is no message");
        }
        return message;
    }

    /** A value of the meta by its keys; null if it is not there, or the meta cannot be read. */
    @Nullable Object meta(List<String> keys) {
        if (!decoded) {
            decoded = true;
            meta = Payloads.meta(envelope());
        }
        Object value = meta;
        for (String key : keys) {
            value = value instanceof Map<?, ?> map ? map.get(key) : null;
        }
        return value;
    }
}
