package neuralcore.bus;

import neuralcore.wire.Params;

/**
 * How one channel behaves.
 *
 * @param name 1 to 256 bytes
 * @param maxQueueSize messages that may wait for each subscription beyond its credit; 0 or less
 *     means without bound
 * @param defaultPriority of a message that says {@code Envelope.DEFAULT_PRIORITY}
 * @param dropPolicy what a full queue does
 */
public record ChannelConfig(
        String name, int maxQueueSize, long defaultPriority, DropPolicy dropPolicy) {

    public ChannelConfig {
        Names.check("channel", name);
    }

    /** What a {@code neuralcore.messaging.create} call asks for. */
    public static ChannelConfig of(Params params, BusSettings defaults) {
        String policy = params.optionalString("drop_policy");
        return new ChannelConfig(
                params.string("channel"),
                params.integer(
                        "max_queue_size",
                        defaults.maxQueueSize(),
                        Integer.MIN_VALUE,
                        Integer.MAX_VALUE),
                params.integer("default_priority", defaults.defaultPriority()),
                policy == null ? defaults.dropPolicy() : DropPolicy.named(policy));
    }
}
