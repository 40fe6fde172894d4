package neuralcore.journal;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** What the writing thread knows of a durable subscription. */
final class SubscriptionState {
    final long id;
    final ChannelState channel;
    final DurableName name;
    final AckSet acks;
    final Map<Long, Recovery.Attempts> attempts = new HashMap<>();
    String config;

    /** Chunks that the transaction in hand has changed. */
    final Set<Long> changed = new HashSet<>();

    /** The floor that is in the database. */
    long storedFloor;

    SubscriptionState(long id, ChannelState channel, DurableName name, String config, long floor) {
        this.id = id;
        this.channel = channel;
        this.name = name;
        this.config = config;
        this.acks = new AckSet(floor);
        this.storedFloor = floor;
        channel.subscriptions.add(this);
    }
}
