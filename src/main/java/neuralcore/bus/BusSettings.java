package neuralcore.bus;

import java.time.Duration;
import neuralcore.wire.NeuralCoreException;

/**
 * What channels get that were not configured, and how much clients may open.
 *
 * @param maxQueueSize see {@link ChannelConfig#maxQueueSize()}
 * @param defaultPriority see {@link ChannelConfig#defaultPriority()}
 * @param dropPolicy see {@link ChannelConfig#dropPolicy()}
 * @param maxNamespaces open at a time
 * @param maxChannels open at a time in one namespace
 * @param maxDelayed messages of one namespace whose time has not come
 * @param channelIdle a channel made on demand is removed after so long without a message or a
 *     subscription, and its counts and numbering with it
 * @param profiles which namespaces begin with which channels
 */
public record BusSettings(
        int maxQueueSize,
        long defaultPriority,
        DropPolicy dropPolicy,
        int maxNamespaces,
        int maxChannels,
        int maxDelayed,
        Duration channelIdle,
        Profiles profiles) {

    public BusSettings {
        if (maxNamespaces < 1 || maxChannels < 1) {
            throw NeuralCoreException.invalid(
                    "At least one namespace and one channel must be allowed, not %d and %d."
                            .formatted(maxNamespaces, maxChannels));
        }
        if (channelIdle.toMillis() < 1) {
            throw NeuralCoreException.invalid(
                    "channelIdle is %s; it must be at least 1 ms.".formatted(channelIdle));
        }
    }

    /** The standard limits, with these two of the daemon's configuration. */
    public static BusSettings of(int maxQueueSize, long defaultPriority) {
        return new BusSettings(
                maxQueueSize,
                defaultPriority,
                DropPolicy.DROP_NEW,
                1_000,
                10_000,
                100_000,
                Duration.ofMinutes(10),
                Profiles.NONE);
    }

    public BusSettings withProfiles(Profiles some) {
        return new BusSettings(
                maxQueueSize,
                defaultPriority,
                dropPolicy,
                maxNamespaces,
                maxChannels,
                maxDelayed,
                channelIdle,
                some);
    }

    ChannelConfig channel(String name) {
        return new ChannelConfig(name, maxQueueSize, defaultPriority, dropPolicy);
    }
}
