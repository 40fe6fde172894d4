package neuralcore.relay;

/** Where a route leads to, or comes from, in the broker. */
public sealed interface Target {
    /** In an outgoing target's name: the name of the message's channel. */
    String CHANNEL_MARK = "{channel}";

    String name();

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
}
