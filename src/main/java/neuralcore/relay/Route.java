package neuralcore.relay;

import org.jspecify.annotations.Nullable;

/** Which messages take which way. */
public sealed interface Route {
    String namespace();

    /** A name; of an outgoing route of volatile channels it may be a pattern. */
    String channel();

    Target target();

    /**
     * From the bus to the broker.
     *
     * @param filter which messages, in the bus's own words; null for all
     * @param externalOnly whether nobody on the bus gets what leaves by it
     * @param durable whether it leaves through the journal's cursor; null to do so if the channel
     *     is persistent
     */
    record Out(
            String namespace,
            String channel,
            Target target,
            Serializer serializer,
            Compression compression,
            @Nullable String filter,
            boolean externalOnly,
            @Nullable Boolean durable)
            implements Route {

        /** The same without messages that a relay has brought from a place. */
        public Out notFrom(String place) {
            String others = "meta.relay.from != '%s'".formatted(place);
            return new Out(
                    namespace,
                    channel,
                    target,
                    serializer,
                    compression,
                    filter == null ? others : "(%s) and %s".formatted(filter, others),
                    externalOnly,
                    durable);
        }
    }

    /**
     * From the broker to a channel.
     *
     * @param own whether it takes what this node itself has sent there, too, as a node must that
     *     shares a channel with others by a group
     */
    record In(String namespace, String channel, Target target, boolean own) implements Route {}
}
