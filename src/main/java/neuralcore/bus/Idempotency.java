package neuralcore.bus;

import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import neuralcore.wire.Envelope;
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;

/**
 * The idempotency keys of one channel. A key is in flight from the moment its message is taken,
 * done once a subscription has dealt with it, and free again if none has: what failed may be sent
 * again. Keys done are remembered for a time and up to a number.
 */
final class Idempotency {
    /** Those in flight. */
    private final Set<String> inFlight = new HashSet<>();

    /** When those done are forgotten, oldest first. */
    private final Map<String, Long> done = new LinkedHashMap<>();

    /**
     * The key of a message: the field of its payload, or of the object under the payload's own key
     * {@code payload}. Text and number are different keys. Null if there is none.
     */
    static @Nullable String keyOf(Envelope message, String field) {
        if (!(Payloads.payload(message) instanceof Map<?, ?> map)) {
            return null;
        }
        Object value =
                map.get("payload") instanceof Map<?, ?> inner && inner.get(field) != null
                        ? inner.get(field)
                        : map.get(field);
        return switch (value) {
            case null -> null;
            case String text -> "s:" + text;
            case Boolean bool -> "b:" + bool;
            case Long number -> "n:" + number;
            case Double number -> "n:" + number;
            default -> "o:" + value;
        };
    }

    boolean isKnown(String key, long nowMillis) {
        forgetOld(nowMillis, Integer.MAX_VALUE);
        return inFlight.contains(key) || done.containsKey(key);
    }

    /** A key of before; those done must come oldest first. */
    void recover(String key, boolean isDone, long expiresMillis) {
        if (isDone) {
            done.put(key, expiresMillis);
        } else {
            inFlight.add(key);
        }
    }

    void begins(String key) {
        inFlight.add(key);
    }

    void released(String key) {
        inFlight.remove(key);
    }

    void done(String key, long nowMillis, ChannelConfig.@Nullable Idempotency config) {
        inFlight.remove(key);
        if (config != null) {
            done.put(key, nowMillis + config.ttlMillis());
            forgetOld(nowMillis, config.keys());
        }
    }

    private void forgetOld(long nowMillis, int most) {
        for (Iterator<Long> expiries = done.values().iterator(); expiries.hasNext(); ) {
            if (expiries.next() > nowMillis && done.size() <= most) {
                return;
            }
            expiries.remove();
        }
    }
}
