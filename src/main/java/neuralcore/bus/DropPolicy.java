package neuralcore.bus;

import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** What a subscription's full queue does with a message more. */
public enum DropPolicy {
    /** The newcomer is dropped. */
    DROP_NEW,

    /**
     * The oldest message of the worst priority gives way, unless the newcomer's priority is worse
     * still: then the newcomer is dropped. (ATLAS's own bus evicts the newest of the worst priority
     * and admits any newcomer.)
     */
    DROP_OLD;

    /** The policy called so in a channel's configuration. */
    public static DropPolicy named(String name) {
        return switch (name) {
            case "drop_new" -> DROP_NEW;
            case "drop_old" -> DROP_OLD;
            case "block" ->
                    throw new NeuralCoreException(
                            ErrorCode.NOT_SUPPORTED,
                            "drop_policy 'block' is not in this version;"
                                    + " use 'drop_new' or 'drop_old'.");
            default ->
                    throw NeuralCoreException.invalid(
                            "drop_policy is '%s'; it must be 'drop_new' or 'drop_old'."
                                    .formatted(name));
        };
    }
}
