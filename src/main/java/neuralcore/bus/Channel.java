package neuralcore.bus;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** A channel of one namespace: who receives its messages, its numbering and its counts. */
final class Channel {
    final List<Lane> lanes = new ArrayList<>();
    final Counts counts = new Counts();

    /** Connections that were told that there is no room. */
    private final Set<String> heldBack = new LinkedHashSet<>();

    /** Where its lanes note when what they hold expires. */
    final Expiries expiries;

    private final Flow flow;
    private @Nullable Idempotency keys;
    private ChannelConfig config;
    private boolean onDemand;
    private @Nullable TokenBucket bucket;
    private long lastSequence;
    private long lastUsedMillis;
    private boolean removed;

    /** Where it is kept; null if it is not persistent. */
    private @Nullable Ledger ledger;

    /** Messages that were taken and are not kept yet. */
    int uncommitted;

    /** The namespace's number of the newest message that is kept. */
    long keptUpTo;

    /** Priorities of messages that are kept, or were. */
    final NavigableSet<Long> priorities = new TreeSet<>();

    /** Lanes of subscriptions that named this channel, and not by a pattern. */
    private int named;

    /** Whether it is in the list of channels that may have room again. */
    boolean noted;

    Channel(ChannelConfig config, boolean onDemand, Flow flow, Expiries expiries) {
        this.expiries = expiries;
        this.flow = flow;
        this.onDemand = onDemand;
        this.config = config;
        configure(config);
    }

    ChannelConfig config() {
        return config;
    }

    boolean isOnDemand() {
        return onDemand;
    }

    /** From now on it is kept, whether it is used or not. */
    void keep() {
        onDemand = false;
    }

    void configure(ChannelConfig latest) {
        Rate rate = latest.rate();
        if (rate == null) {
            bucket = null;
        } else if (bucket == null || !rate.equals(config.rate())) {
            bucket = new TokenBucket(rate);
        }
        config = latest;
    }

    /** What limits how fast messages come in; null if nothing does. */
    @Nullable TokenBucket bucket() {
        return bucket;
    }

    Idempotency keys() {
        Idempotency known = keys;
        if (known == null) {
            known = new Idempotency();
            keys = known;
        }
        return known;
    }

    boolean isRemoved() {
        return removed;
    }

    void removed() {
        removed = true;
    }

    @Nullable Ledger ledger() {
        return ledger;
    }

    /** Its messages are kept from now on, and numbered as they are there. */
    void logged(Ledger where, long lastNumber, long lastKept) {
        ledger = where;
        lastSequence = lastNumber;
        keptUpTo = lastKept;
    }

    long lastNumber() {
        return lastSequence;
    }

    long nextSequence() {
        return lastSequence + 1;
    }

    /** The message that was given {@link #nextSequence} has been accepted. */
    void advance() {
        lastSequence++;
    }

    void used(long nowMillis) {
        lastUsedMillis = nowMillis;
    }

    boolean isIdle(long sinceMillis) {
        return onDemand
                && ledger == null
                && named == 0
                && lastUsedMillis <= sinceMillis
                && counts.queued == 0
                && counts.inFlight == 0
                && counts.delayed == 0;
    }

    void add(Lane lane, boolean named) {
        lanes.add(lane);
        counts.subscriptions += lane.receiver.members.size();
        this.named += named ? 1 : 0;
    }

    void remove(Lane lane, boolean named) {
        lanes.remove(lane);
        this.named -= named ? 1 : 0;
        madeRoom();
    }

    /** Whether an exclusive receiver takes a message away from all others. */
    boolean isTakenAlone(Subject message) {
        for (Lane lane : lanes) {
            if (lane.receiver.isExclusive() && lane.receiver.wants(message)) {
                return true;
            }
        }
        return false;
    }

    // Room

    /** Whether somebody who must not lose anything has no room. */
    boolean isFull() {
        for (Lane lane : lanes) {
            if (lane.receiver.durable != null && lane.room() == 0) {
                return true;
            }
        }
        return false;
    }

    /** Whether whoever has to wait for room would find no place to wait, and where one has to. */
    boolean hasNoPlaceToWait() {
        if (config.dropPolicy() != DropPolicy.BLOCK) {
            return false;
        }
        for (Lane lane : lanes) {
            if (lane.isBounded() && !lane.mayPark()) {
                return true;
            }
        }
        return false;
    }

    /** How many messages it takes before it is full. */
    int room() {
        // A persistent channel refuses what one of its durable subscriptions has no room for.
        boolean blocks = config.dropPolicy() == DropPolicy.BLOCK || ledger != null;
        int room = blocks || lanes.isEmpty() ? Integer.MAX_VALUE : 0;
        for (Lane lane : lanes) {
            room = blocks ? Math.min(room, lane.room()) : Math.max(room, lane.room());
        }
        return room;
    }

    /** A message of this connection found no room. */
    void holdBack(String connection, Effects effects) {
        if (!connection.equals(QueuedMessage.NOBODY) && heldBack.add(connection)) {
            effects.room(connection, flow.namespace, config.name(), 0);
        }
    }

    /** A message has left one of its lanes. */
    void madeRoom() {
        if (!noted && !heldBack.isEmpty()) {
            noted = true;
            flow.note(this);
        }
    }

    /** Tells those who were held back that there is room, once a quarter of it is free. */
    void tellRoom(Effects effects) {
        int room = room();
        if (room >= Math.max(1, config.maxQueueSize() / 4)) {
            for (String connection : heldBack) {
                effects.room(connection, flow.namespace, config.name(), room);
            }
            heldBack.clear();
        }
    }
}
