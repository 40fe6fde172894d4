package neuralcore.bus;

import java.util.LinkedHashMap;
import java.util.Map;
import neuralcore.journal.Durability;
import neuralcore.journal.Retention;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * How one channel behaves.
 *
 * @param name 1 to 256 bytes
 * @param maxQueueSize messages that may wait for each subscription or group beyond its credit; 0 or
 *     less means without bound
 * @param defaultPriority of a message that says {@code Envelope.DEFAULT_PRIORITY}
 * @param dropPolicy what a full queue does
 * @param blockTimeoutMillis how long a message waits for room where the policy is to wait
 * @param rate how fast messages may come in; null for as fast as they do
 * @param ttlMillis how long a message may wait that does not say so itself; 0 means for ever
 * @param ageingMillis how long a message waits to become more urgent by one; 0 means it does not
 * @param maxAttempts deliveries of a message before it goes to the dead letters, where a
 *     subscription does not say; 0 means without limit
 * @param deadLetterChannel where those go; null discards and counts them
 * @param idempotency how copies of a message are recognised by their payload; null for not at all
 * @param storage what of it is written to the disk
 * @param client settings that only concern clients, kept for them as they are
 */
public record ChannelConfig(
        String name,
        int maxQueueSize,
        long defaultPriority,
        DropPolicy dropPolicy,
        long blockTimeoutMillis,
        @Nullable Rate rate,
        int ttlMillis,
        long ageingMillis,
        int maxAttempts,
        @Nullable String deadLetterChannel,
        @Nullable Idempotency idempotency,
        Storage storage,
        Map<String, @Nullable Object> client) {

    static final long STANDARD_BLOCK_TIMEOUT_MILLIS = 5_000;
    static final int STANDARD_MAX_ATTEMPTS = 20;

    public ChannelConfig {
        Names.check("channel", name);
        if (deadLetterChannel != null) {
            Names.check("channel", deadLetterChannel);
        }
        requireNotNegative("block_timeout", blockTimeoutMillis);
        requireNotNegative("ttl", ttlMillis);
        requireNotNegative("ageing", ageingMillis);
        requireNotNegative("max_attempts", maxAttempts);
    }

    /** A channel kept in memory, with standards for what is not named. */
    public ChannelConfig(
            String name, int maxQueueSize, long defaultPriority, DropPolicy dropPolicy) {
        this(
                name,
                maxQueueSize,
                defaultPriority,
                dropPolicy,
                STANDARD_BLOCK_TIMEOUT_MILLIS,
                null,
                0,
                0,
                STANDARD_MAX_ATTEMPTS,
                null,
                null,
                Storage.NONE,
                Map.of());
    }

    /**
     * Which field of a payload tells that two messages are one.
     *
     * @param field a key of the payload's object, or of the object under its key {@code payload}
     * @param ttlMillis how long a message that succeeded is remembered
     * @param keys how many of those
     */
    public record Idempotency(String field, long ttlMillis, int keys) {
        static final long STANDARD_TTL_MILLIS = 60_000;
        static final int STANDARD_KEYS = 10_000;

        public Idempotency {
            if (field.isEmpty() || ttlMillis < 1 || keys < 1) {
                throw NeuralCoreException.invalid(
                        ("Idempotency by field '%s' for %d ms and %d keys is impossible;"
                                        + " it needs a name, and at least 1 ms and 1 key.")
                                .formatted(field, ttlMillis, keys));
            }
        }
    }

    /**
     * What is written to the disk, in a namespace that has a journal.
     *
     * @param durability what a message must be written to before it counts as safe
     */
    public record Storage(boolean persistent, Durability durability, Retention retention) {
        public static final Storage NONE = new Storage(false, Durability.DISK, Retention.FOREVER);
    }

    /** What a {@code neuralcore.messaging.create} call asks for. */
    public static ChannelConfig of(Params params, BusSettings defaults) {
        return defaults.channel(params.string("channel")).with(params);
    }

    /** This configuration with what {@code params} names; times are in seconds there. */
    public ChannelConfig with(Params params) {
        String policy = params.optionalString("drop_policy");
        return new ChannelConfig(
                name,
                params.integer(
                        "max_queue_size", maxQueueSize, Integer.MIN_VALUE, Integer.MAX_VALUE),
                params.integer("default_priority", defaultPriority),
                policy == null ? dropPolicy : DropPolicy.named(policy),
                Seconds.millis(params, "block_timeout", blockTimeoutMillis),
                Rates.of(params, rate),
                (int) Math.min(Seconds.millis(params, "ttl", ttlMillis), Integer.MAX_VALUE),
                Seconds.millis(params, "ageing", ageingMillis),
                params.integer("max_attempts", maxAttempts, 0, Integer.MAX_VALUE),
                emptyIsNone(params.optionalString("dead_letter_channel"), deadLetterChannel),
                idempotency(params),
                storage(params),
                client(params));
    }

    private @Nullable Idempotency idempotency(Params params) {
        String field =
                emptyIsNone(
                        params.optionalString("idempotency_key_field"),
                        idempotency == null ? null : idempotency.field());
        if (field == null) {
            return null;
        }
        Idempotency before =
                idempotency == null
                        ? new Idempotency(
                                field, Idempotency.STANDARD_TTL_MILLIS, Idempotency.STANDARD_KEYS)
                        : idempotency;
        return new Idempotency(
                field,
                Seconds.millis(params, "idempotency_ttl", before.ttlMillis()),
                params.integer("idempotency_keys", before.keys(), 1, Integer.MAX_VALUE));
    }

    /** This configuration, kept as another channel is. */
    ChannelConfig keptLike(ChannelConfig other) {
        return with(
                new Params(
                        Map.of(
                                "persistent",
                                true,
                                "durability",
                                other.storage.durability() == Durability.OS ? "os" : "disk",
                                "max_queue_size",
                                0L)));
    }

    private Storage storage(Params params) {
        String durability = params.optionalString("durability");
        Retention before = storage.retention();
        return new Storage(
                params.bool("persistent", storage.persistent()),
                durability == null ? storage.durability() : durabilityNamed(durability),
                new Retention(
                        Seconds.millis(params, "retention_age", before.ageMillis()),
                        params.integer("retention_rows", before.rows()),
                        params.integer("retention_bytes", before.bytes()),
                        params.bool("prune_unacknowledged", before.pruneUnacknowledged())));
    }

    private static Durability durabilityNamed(String name) {
        return switch (name) {
            case "disk" -> Durability.DISK;
            case "os" -> Durability.OS;
            default ->
                    throw NeuralCoreException.invalid(
                            "durability is '%s'; it must be 'disk' or 'os'.".formatted(name));
        };
    }

    private Map<String, @Nullable Object> client(Params params) {
        Map<String, @Nullable Object> given = params.optionalObject("client");
        return given == null ? client : given;
    }

    private static @Nullable String emptyIsNone(@Nullable String given, @Nullable String before) {
        return given == null ? before : given.isEmpty() ? null : given;
    }

    /** As {@link #with} reads it and {@code neuralcore.messaging.channels} answers it. */
    public Map<String, @Nullable Object> toMap() {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        map.put("channel", name);
        map.put("max_queue_size", (long) maxQueueSize);
        map.put("default_priority", defaultPriority);
        map.put("drop_policy", dropPolicy.text());
        map.put("block_timeout", blockTimeoutMillis / 1e3);
        map.put("rate_per_second", rate == null ? 0.0 : rate.perSecond());
        map.put("burst", rate == null ? 0L : (long) rate.burst());
        map.put("ttl", ttlMillis / 1e3);
        map.put("ageing", ageingMillis / 1e3);
        map.put("max_attempts", (long) maxAttempts);
        map.put("dead_letter_channel", deadLetterChannel == null ? "" : deadLetterChannel);
        map.put("idempotency_key_field", idempotency == null ? "" : idempotency.field());
        if (idempotency != null) {
            map.put("idempotency_ttl", idempotency.ttlMillis() / 1e3);
            map.put("idempotency_keys", (long) idempotency.keys());
        }
        map.put("persistent", storage.persistent());
        map.put("durability", storage.durability() == Durability.OS ? "os" : "disk");
        map.put("retention_age", storage.retention().ageMillis() / 1e3);
        map.put("retention_rows", storage.retention().rows());
        map.put("retention_bytes", storage.retention().bytes());
        map.put("prune_unacknowledged", storage.retention().pruneUnacknowledged());
        map.put("client", client);
        return map;
    }

    private static void requireNotNegative(String name, long value) {
        if (value < 0) {
            throw NeuralCoreException.invalid(
                    "'%s' is %d; it must not be negative.".formatted(name, value));
        }
    }
}
