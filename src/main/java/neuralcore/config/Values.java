package neuralcore.config;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** A value for each setting, typed by the setting, and where it came from. */
final class Values {
    // A setting is itself only; a record's own hash is code that the JVM writes at each start.
    private final Map<Setting<?>, Object> values = new IdentityHashMap<>();
    private final List<LoadedConfig.Entry> entries = new ArrayList<>();

    <T> void put(Setting<T> setting, T value, String source) {
        values.put(setting, value);
        String shown = setting.type().shown().apply(value);
        entries.add(new LoadedConfig.Entry(setting.key(), shown, source));
    }

    boolean has(Setting<?> setting) {
        return values.containsKey(setting);
    }

    /** Only {@link #put} fills the map, so a setting's value is of its type. */
    @SuppressWarnings("unchecked")
    <T> T get(Setting<T> setting) {
        return (T) Objects.requireNonNull(values.get(setting), setting.key());
    }

    List<LoadedConfig.Entry> entries() {
        return entries;
    }

    RuntimeConfig toConfig() {
        return new RuntimeConfig(
                get(Settings.ROLES),
                get(Settings.EVENT_LOOPS),
                new RuntimeConfig.Data(get(Settings.DATA_FOLDER)),
                bridge(),
                new RuntimeConfig.Web(
                        get(Settings.WEB_HOST),
                        get(Settings.WEB_PORT),
                        get(Settings.WEB_ALLOWED_HOSTS),
                        get(Settings.WEB_ALLOWED_ORIGINS)),
                new RuntimeConfig.Bus(
                        get(Settings.BUS_MAX_QUEUE_SIZE),
                        get(Settings.BUS_DEFAULT_PRIORITY),
                        get(Settings.BUS_PROFILES),
                        get(Settings.BUS_ACCESS),
                        get(Settings.BUS_INTERCEPTORS),
                        new RuntimeConfig.Journal(
                                get(Settings.JOURNAL_RETENTION),
                                get(Settings.JOURNAL_MAX_BYTES),
                                get(Settings.JOURNAL_ACCEPT_LOSS))),
                new RuntimeConfig.Relays(
                        get(Settings.RELAYS_FILE),
                        Math.toIntExact(get(Settings.RELAYS_MAX_UNPACKED)),
                        get(Settings.RELAYS_CONFIRM_TIMEOUT)),
                new RuntimeConfig.Vectors(
                        get(Settings.VECTORS_MAX_DIMENSION),
                        get(Settings.VECTORS_MAX_BYTES),
                        get(Settings.VECTORS_THREADS),
                        get(Settings.VECTORS_EXACT_BELOW)),
                new RuntimeConfig.Embedding(
                        get(Settings.EMBEDDING_MODEL),
                        get(Settings.EMBEDDING_MODELS),
                        get(Settings.EMBEDDING_CACHE_DIR),
                        get(Settings.EMBEDDING_PRECISION),
                        get(Settings.EMBEDDING_WORKERS),
                        get(Settings.EMBEDDING_THREADS),
                        get(Settings.EMBEDDING_BATCH_TOKENS),
                        get(Settings.EMBEDDING_MAX_QUEUED_TEXTS),
                        get(Settings.EMBEDDING_VECTOR_CACHE),
                        get(Settings.EMBEDDING_MEMORY_LIMIT),
                        get(Settings.EMBEDDING_PROVIDER),
                        get(Settings.EMBEDDING_DEVICE),
                        get(Settings.EMBEDDING_DEVICE_MEMORY),
                        get(Settings.EMBEDDING_ISOLATION)),
                new RuntimeConfig.Lifecycle(
                        get(Settings.LIFECYCLE_OWNED),
                        get(Settings.LIFECYCLE_IDLE_EXIT),
                        get(Settings.LIFECYCLE_DRAIN)),
                new RuntimeConfig.Cluster(
                        get(Settings.CLUSTER_ENABLED),
                        get(Settings.CLUSTER_HOST),
                        get(Settings.CLUSTER_PORT),
                        get(Settings.CLUSTER_EVENT_PORT),
                        get(Settings.CLUSTER_PUBLIC_HOST),
                        get(Settings.CLUSTER_PUBLIC_PORT),
                        get(Settings.CLUSTER_PUBLIC_EVENT_PORT),
                        get(Settings.CLUSTER_JOIN),
                        get(Settings.CLUSTER_CREDENTIALS),
                        Math.toIntExact(get(Settings.CLUSTER_MAX_FRAME))),
                new RuntimeConfig.Log(get(Settings.LOG_LEVEL), get(Settings.LOG_CONSOLE)));
    }

    private RuntimeConfig.Bridge bridge() {
        return new RuntimeConfig.Bridge(
                get(Settings.BRIDGE_SOCKET),
                get(Settings.BRIDGE_HOST),
                get(Settings.BRIDGE_PORT),
                Math.toIntExact(get(Settings.BRIDGE_MAX_TEXT_FRAME)),
                Math.toIntExact(get(Settings.BRIDGE_MAX_BINARY_FRAME)),
                get(Settings.BRIDGE_MAX_CONNECTIONS),
                get(Settings.BRIDGE_MAX_SUBSCRIPTIONS),
                get(Settings.BRIDGE_MAX_PENDING_CALLS),
                Math.toIntExact(get(Settings.BRIDGE_OUTBOUND_BYTES)),
                get(Settings.BRIDGE_SLOW_READER_GRACE),
                get(Settings.BRIDGE_IDLE),
                get(Settings.BRIDGE_HANDSHAKE),
                get(Settings.BRIDGE_BYTES_PER_SECOND),
                get(Settings.BRIDGE_MESSAGES_PER_SECOND),
                get(Settings.BRIDGE_INBOUND),
                get(Settings.BRIDGE_OUTBOUND));
    }
}
