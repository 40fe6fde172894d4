package neuralcore.ops;

import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import io.vertx.core.shareddata.Shareable;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import org.jspecify.annotations.Nullable;

/**
 * Which parts of the node can do their work. Verticles tell it by {@link #tell}; whoever asks sees
 * the latest. There is one a Vert.x instance, {@link #of}. Thread-safe.
 */
public final class Readiness implements Shareable {
    /** The part that is ready when the door answers. */
    public static final String DOOR = "door";

    /** The part that is ready when the vector kernels are loaded. */
    public static final String VECTORS = "vectors";

    /** The part that is ready when the default model has run once. */
    public static final String MODEL = "model";

    /** The part that says whether this node can do what it is in a cluster for. */
    public static final String CLUSTER = "cluster";

    private static final String MAP = "neuralcore.ops";

    /**
     * Whether one part is ready.
     *
     * @param detail why it is not, or what it is ready with
     */
    public record State(boolean ready, String detail) {}

    private final Map<String, State> parts = new ConcurrentHashMap<>();
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();

    /** The instance's own; the first call begins to listen. */
    public static Readiness of(Vertx vertx) {
        return vertx.sharedData()
                .<String, Readiness>getLocalMap(MAP)
                .computeIfAbsent("readiness", name -> listening(vertx));
    }

    private static Readiness listening(Vertx vertx) {
        Readiness readiness = new Readiness();
        vertx.eventBus()
                .<JsonObject>localConsumer(
                        Addresses.READINESS,
                        message ->
                                readiness.set(
                                        message.body().getString("part"),
                                        message.body().getBoolean("ready"),
                                        message.body().getString("detail", "")));
        return readiness;
    }

    /** Says on the event bus of this node whether a part is ready. */
    public static void tell(Vertx vertx, String part, boolean ready, String detail) {
        vertx.eventBus()
                .publish(
                        Addresses.READINESS,
                        new JsonObject()
                                .put("part", part)
                                .put("ready", ready)
                                .put("detail", detail),
                        Services.local());
    }

    public void set(String part, boolean ready, String detail) {
        parts.put(part, new State(ready, detail));
        listeners.forEach(Runnable::run);
    }

    /** Counts a part as not ready until it says otherwise. */
    public void expect(String part) {
        parts.putIfAbsent(part, new State(false, "starting"));
    }

    /** Runs {@code listener} after each change, on the thread that makes it. */
    public void onChange(Runnable listener) {
        listeners.add(listener);
    }

    /** Whether every part that is expected or has spoken is ready. */
    public boolean isReady() {
        return parts.values().stream().allMatch(State::ready);
    }

    /** Done when a part is ready, at once if it already is or nobody expects it. */
    public CompletableFuture<Void> whenReady(String part) {
        CompletableFuture<Void> ready = new CompletableFuture<>();
        Runnable look =
                () -> {
                    if (!parts.containsKey(part) || isReady(part)) {
                        ready.complete(null);
                    }
                };
        listeners.add(look);
        ready.thenRun(() -> listeners.remove(look));
        look.run();
        return ready;
    }

    public boolean isReady(String part) {
        State state = parts.get(part);
        return state != null && state.ready();
    }

    /** What a part said of itself last; empty if it never did. */
    public String detail(String part) {
        State state = parts.get(part);
        return state == null ? "" : state.detail();
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
