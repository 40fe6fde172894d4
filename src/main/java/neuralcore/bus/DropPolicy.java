package neuralcore.bus;

import java.util.Locale;
import neuralcore.wire.NeuralCoreException;

/** What a full lane does with a message more. */
public enum DropPolicy {
    /** The newcomer is dropped. */
    DROP_NEW,

    /**
     * The oldest message of the worst priority gives way, unless the newcomer's priority is worse
     * still: then the newcomer is dropped. (ATLAS's own bus evicts the newest of the worst priority
     * and admits any newcomer.)
     */
    DROP_OLD,

    /**
     * The newcomer waits for room, for as long as the channel's {@code block_timeout}; as many may
     * wait as the channel has places.
     */
    BLOCK;

    /** The policy called so in a channel's configuration. */
    public static DropPolicy named(String name) {
        return switch (name) {
            case "drop_new" -> DROP_NEW;
            case "drop_old" -> DROP_OLD;
            case "block" -> BLOCK;
            default ->
                    throw NeuralCoreException.invalid(
                            "drop_policy is '%s'; it must be 'drop_new', 'drop_old' or 'block'."
                                    .formatted(name));
        };
    }

    /** As a configuration writes it. */
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
