package neuralcore.bus;

import java.util.List;
import java.util.Map;
import neuralcore.journal.StoredMessage;
import neuralcore.wire.Burial;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.Params;
import neuralcore.wire.Settlement;

/** What can happen to a namespace. */
public sealed interface BusEvent {

    /** Milliseconds of a clock that does not jump; its zero means nothing. */
    long nowMillis();

    /** An event for the one namespace that its sender named. */
    sealed interface InNamespace extends BusEvent {
        String connection();
    }

    /** An event for whichever namespaces it touches. */
    sealed interface Everywhere extends BusEvent {}

    /**
     * Messages of one client, all to be queued before any is delivered.
     *
     * @param dead which of them, by their numbers, go to their channel's dead letters instead, and
     *     why
     */
    record Publish(
            long nowMillis, String connection, List<Envelope> messages, Map<Long, Burial> dead)
            implements InNamespace {
        Publish(long nowMillis, String connection, List<Envelope> messages) {
            this(nowMillis, connection, messages, Map.of());
        }
    }

    /**
     * @param subscription chosen by the client, unique in its connection
     * @param channel a name, or a pattern: {@code *} stands for one part between dots, {@code **}
     *     for any number of parts
     * @param credit how many messages may be delivered before a {@link Credit} says more
     * @param window how many bytes may be under way to the connection, over all its subscriptions,
     *     before a {@link Credit} gives some back; its last word counts
     */
    record Subscribe(
            long nowMillis,
            String connection,
            int subscription,
            String channel,
            int credit,
            Terms terms,
            long window)
            implements InNamespace {
        static final long UNBOUNDED = Long.MAX_VALUE;

        Subscribe(
                long nowMillis,
                String connection,
                int subscription,
                String channel,
                int credit,
                Terms terms) {
            this(nowMillis, connection, subscription, channel, credit, terms, UNBOUNDED);
        }

        Subscribe(long nowMillis, String connection, int subscription, String channel, int credit) {
            this(nowMillis, connection, subscription, channel, credit, Terms.PLAIN);
        }
    }

    /** Gives a channel that was made on demand a configuration, or makes one that has it. */
    record CreateChannel(long nowMillis, String connection, ChannelConfig config)
            implements InNamespace {}

    /** Changes what is named of a channel's configuration; makes the channel if it is not there. */
    record ConfigureChannel(long nowMillis, String connection, String channel, Params changes)
            implements InNamespace {}

    /** Configures the channels of a profile. */
    record LoadProfile(long nowMillis, String connection, Profile profile) implements InNamespace {}

    /** Ends a channel with all that waits in it. */
    record RemoveChannel(long nowMillis, String connection, String channel)
            implements InNamespace {}

    /**
     * The messages of a channel's journal up to one of them go.
     *
     * @param settledOnly whether those stay that a durable subscription has not settled
     */
    record Purge(
            long nowMillis, String connection, String channel, long upToNumber, boolean settledOnly)
            implements InNamespace {}

    /** The oldest letters of a channel go back to where they came from, as far as there is room. */
    record Requeue(long nowMillis, String connection, String channel, List<StoredMessage> letters)
            implements InNamespace {}

    /**
     * @param forget whether a durable subscription is given up with all it remembers
     */
    record Unsubscribe(long nowMillis, String connection, int subscription, boolean forget)
            implements Everywhere {
        Unsubscribe(long nowMillis, String connection, int subscription) {
            this(nowMillis, connection, subscription, false);
        }
    }

    /** The journal of a namespace has something to say. */
    record JournalSpoke(long nowMillis, String namespace) implements Everywhere {}

    /**
     * Leave to deliver more, to subscriptions or to {@linkplain Frame.Grant#CONNECTION the
     * connection}; what is granted to those that have ended is ignored.
     */
    record Credit(long nowMillis, String connection, List<Frame.Grant> grants)
            implements Everywhere {}

    /** What a client made of its deliveries. */
    record Settle(long nowMillis, String connection, List<Settlement> settlements)
            implements Everywhere {}

    record ConnectionClosed(long nowMillis, String connection) implements Everywhere {}

    /** Time has passed. */
    record Tick(long nowMillis) implements Everywhere {}
}
