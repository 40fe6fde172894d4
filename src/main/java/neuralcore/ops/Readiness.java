package neuralcore.ops;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Which parts of the node can do their work. Thread-safe. */
public final class Readiness {
    /**
     * Whether one part is ready.
     *
     * @param detail why it is not, or what it is ready with
     */
    public record State(boolean ready, String detail) {}

    private final Map<String, State> parts = new ConcurrentHashMap<>();

    public void set(String part, boolean ready, String detail) {
        parts.put(part, new State(ready, detail));
    }

    /** Whether every part that has spoken is ready. */
    public boolean isReady() {
        return parts.values().stream().allMatch(State::ready);
    }

    public Map<String, @Nullable Object> describe() {
        Map<String, @Nullable Object> described = new TreeMap<>();
        parts.forEach(
                (part, state) ->
                        described.put(
                                part, Map.of("ready", state.ready(), "detail", state.detail())));
        return described;
    }
}
