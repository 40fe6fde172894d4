package neuralcore.bus;

import neuralcore.journal.StartAt;
import org.jspecify.annotations.Nullable;

/**
 * What a subscription asks for besides its channel.
 *
 * @param acknowledged whether each delivery is to be settled; else it is done when it is sent
 * @param group whose members share one queue and compete; null for a queue of one's own
 * @param name who it is in dead letters
 * @param maxAttempts deliveries of a message before it goes to the dead letters; 0 leaves it to the
 *     channel
 * @param backoff between attempts
 * @param leaseMillis how long a delivery may take before it counts as failed
 * @param filter which messages; null for all
 * @param rate how fast; null for as fast as credit allows
 * @param durable whether the group and what it has settled outlive its members and the daemon
 * @param exclusive whether what it takes is given to no receiver that is not exclusive, too
 * @param start where in the channel's journal it begins, if it has one and the group is new
 */
public record Terms(
        boolean acknowledged,
        @Nullable String group,
        String name,
        int maxAttempts,
        Backoff backoff,
        long leaseMillis,
        @Nullable Filter filter,
        @Nullable Rate rate,
        boolean durable,
        boolean exclusive,
        StartAt start) {

    static final long STANDARD_LEASE_MILLIS = 30_000;

    /** All messages as they come, done when they are sent. */
    public static final Terms PLAIN =
            new Terms(false, null, "", 0, Backoff.STANDARD, STANDARD_LEASE_MILLIS, null, null);

    /** Each delivery to be settled. */
    public static final Terms ACKNOWLEDGED =
            new Terms(true, null, "", 0, Backoff.STANDARD, STANDARD_LEASE_MILLIS, null, null);

    /** Not durable, and new messages only. */
    public Terms(
            boolean acknowledged,
            @Nullable String group,
            String name,
            int maxAttempts,
            Backoff backoff,
            long leaseMillis,
            @Nullable Filter filter,
            @Nullable Rate rate) {
        this(
                acknowledged,
                group,
                name,
                maxAttempts,
                backoff,
                leaseMillis,
                filter,
                rate,
                false,
                new StartAt.New());
    }

    /** As much for others as for itself. */
    public Terms(
            boolean acknowledged,
            @Nullable String group,
            String name,
            int maxAttempts,
            Backoff backoff,
            long leaseMillis,
            @Nullable Filter filter,
            @Nullable Rate rate,
            boolean durable,
            StartAt start) {
        this(
                acknowledged,
                group,
                name,
                maxAttempts,
                backoff,
                leaseMillis,
                filter,
                rate,
                durable,
                false,
                start);
    }

    public Terms {
        if (durable && (group == null || !acknowledged)) {
            throw neuralcore.wire.NeuralCoreException.invalid(
                    "A durable subscription needs a group, and to acknowledge.");
        }
        if (group != null) {
            Names.check("group", group);
        }
        if (maxAttempts < 0) {
            throw invalid("max_attempts", maxAttempts, "positive");
        }
        if (leaseMillis < 1) {
            throw invalid("lease", leaseMillis, "at least 1 ms");
        }
    }

    private static neuralcore.wire.NeuralCoreException invalid(
            String name, long value, String expected) {
        return neuralcore.wire.NeuralCoreException.invalid(
                "'%s' is %d; it must be %s.".formatted(name, value, expected));
    }
}
