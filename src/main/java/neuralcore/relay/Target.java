package neuralcore.relay;

/** Where a route leads to, or comes from, in the broker. */
public sealed interface Target {
    /** In an outgoing target's name: the name of the message's channel. */
    String CHANNEL_MARK = "{channel}";

    String name();

    /** The only kind of broker that has such a place. */
    default RelayConfig.Broker broker() {
        return switch (this) {
            case PubSub _, Stream _, StreamGroup _ -> RelayConfig.Broker.REDIS;
            case Topic _, TopicGroup _ -> RelayConfig.Broker.KAFKA;
        };
    }

    /** A channel of Redis Pub/Sub: whoever is there gets it, nothing is kept. */
    record PubSub(String name) implements Target {}

    /**
     * A Redis stream to write to.
     *
     * @param trimMaxlen about how many entries stay in it; 0 for all
     */
    record Stream(String name, long trimMaxlen) implements Target {}

    /**
     * A Redis stream to read with a consumer group.
     *
     * @param group made if it is not there
     * @param consumer unique within the group; empty for the name of this node
     * @param replayStart where a new group begins: {@code $} for what comes, {@code 0-0} for all,
     *     or an entry's id
     * @param autoClaimMillis entries that another consumer holds for so long are taken over; 0 for
     *     never
     * @param deleteOnAck whether entries are deleted once they are done
     */
    record StreamGroup(
            String name,
            String group,
            String consumer,
            String replayStart,
            long autoClaimMillis,
            boolean deleteOnAck)
            implements Target {}

    /**
     * A topic of Kafka to write to.
     *
     * @param key by which messages are put to partitions
     */
    record Topic(String name, PartitionKey key) implements Target {}

    /**
     * A topic of Kafka to read with a consumer group.
     *
     * @param replayStart where a group begins that is new to a partition
     */
    record TopicGroup(String name, String group, StartAt replayStart) implements Target {}
}
