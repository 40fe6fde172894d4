package neuralcore.bus;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import neuralcore.journal.Durability;
import neuralcore.journal.Entry;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * The channels of one namespace by name, and the patterns that are subscribed to. A channel that
 * comes into being joins the receivers of each pattern that its name matches.
 */
final class Channels {
    private final String namespace;
    private final BusSettings settings;
    private final Flow flow;
    private final Map<String, Channel> byName = new HashMap<>();
    private final Map<String, Receivers> patterns = new LinkedHashMap<>();

    /** Makes what waits of what a journal has. */
    private Backlog.@Nullable Thaw thaw;

    private record Receivers(Pattern pattern, List<Receiver> all) {}

    /** What removed channels counted. */
    private final Counts retired = new Counts();

    private final Expiries expiries = new Expiries();
    private long nextIdleSweep = Long.MIN_VALUE;

    Channels(String namespace, BusSettings settings, Flow flow) {
        this.namespace = namespace;
        this.settings = settings;
        this.flow = flow;
    }

    void thaw(Backlog.Thaw how) {
        thaw = how;
    }

    @Nullable Channel get(String name) {
        return byName.get(name);
    }

    Collection<Channel> all() {
        return byName.values();
    }

    /** What a channel gets that nobody configured. */
    ChannelConfig standard(String name) {
        return settings.channel(name);
    }

    int size() {
        return byName.size();
    }

    void addTo(Counts totals) {
        totals.add(retired);
        byName.values().forEach(channel -> totals.add(channel.counts));
    }

    /** The channel, made on demand if it is not there. */
    Channel open(String name) {
        Channel known = byName.get(name);
        return known == null ? add(settings.channel(name), true) : known;
    }

    /**
     * @throws NeuralCoreException {@code LIMIT_EXCEEDED} if there are as many as there may be
     */
    Channel add(ChannelConfig config, boolean onDemand) {
        if (byName.size() >= settings.maxChannels()) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "Namespace '%s' has %d channels, as many as it may; '%s' is one too many."
                            .formatted(namespace, byName.size(), config.name()));
        }
        Channel channel = new Channel(config, onDemand, flow, expiries);
        byName.put(config.name(), channel);
        for (Receivers receivers : patterns.values()) {
            if (receivers.pattern.matches(config.name())) {
                receivers.all.forEach(receiver -> join(receiver, channel, false));
            }
        }
        return channel;
    }

    // Persistent channels

    /** Has a channel's messages kept from now on, or what is kept of its configuration changed. */
    void keep(Channel channel, Ledger ledger) {
        ChannelConfig config = channel.config();
        ledger.write(
                new Entry.ChannelConfigured(
                        config.name(),
                        Json.writeText(config.toMap()),
                        config.storage().retention()),
                Durability.DISK);
        channel.keep();
        if (channel.ledger() == null) {
            logged(channel, ledger, 0, 0);
        }
    }

    /** A channel is kept, and has come so far. */
    void logged(Channel channel, Ledger ledger, long lastNumber, long keptUpTo) {
        channel.logged(ledger, lastNumber, keptUpTo);
        for (Lane lane : channel.lanes) {
            lane.logged(ledger, Objects.requireNonNull(thaw), keptUpTo);
        }
    }

    // Receivers

    /** Gives a receiver a lane in each channel of its subject. */
    void attach(Receiver receiver, long nowMillis) {
        String subject = receiver.subject;
        if (!Pattern.isPattern(subject)) {
            Channel channel = open(subject);
            channel.used(nowMillis);
            join(receiver, channel, true);
            return;
        }
        Receivers receivers =
                patterns.computeIfAbsent(
                        subject, text -> new Receivers(new Pattern(text), new ArrayList<>()));
        receivers.all.add(receiver);
        for (Channel channel : byName.values()) {
            if (receivers.pattern.matches(channel.config().name())) {
                join(receiver, channel, false);
            }
        }
    }

    /** Takes a receiver's lanes away, and what waits in them is abandoned. */
    void detach(Receiver receiver, long nowMillis) {
        boolean named = !Pattern.isPattern(receiver.subject);
        for (Lane lane : receiver.lanes.values()) {
            lane.abandon();
            lane.channel.remove(lane, named);
            lane.channel.used(nowMillis);
        }
        receiver.lanes.clear();
        Receivers receivers = patterns.get(receiver.subject);
        if (receivers != null && receivers.all.remove(receiver) && receivers.all.isEmpty()) {
            patterns.remove(receiver.subject);
        }
    }

    private void join(Receiver receiver, Channel channel, boolean named) {
        Lane lane = new Lane(channel, receiver);
        Ledger ledger = channel.ledger();
        if (ledger != null) {
            lane.logged(ledger, Objects.requireNonNull(thaw), channel.keptUpTo);
        }
        receiver.lanes.put(channel, lane);
        channel.add(lane, named);
    }

    // The end of messages and channels

    /** Drops what has expired from every lane, if anything can have. */
    void sweep(long nowMillis) {
        if (!expiries.isDue(nowMillis)) {
            return;
        }
        for (Channel channel : byName.values()) {
            for (Lane lane : channel.lanes) {
                lane.sweep(nowMillis);
                expiries.note(lane.earliestExpiry());
            }
        }
    }

    void removeIdle(long nowMillis) {
        if (nextIdleSweep > nowMillis) {
            return;
        }
        long idle = settings.channelIdle().toMillis();
        for (Iterator<Channel> all = byName.values().iterator(); all.hasNext(); ) {
            Channel channel = all.next();
            if (channel.isIdle(nowMillis - idle)) {
                retire(channel);
                all.remove();
            }
        }
        nextIdleSweep = nowMillis + Math.max(1, idle / 10);
    }

    void remove(Channel channel) {
        retire(channel);
        byName.remove(channel.config().name());
    }

    private void retire(Channel channel) {
        for (Lane lane : List.copyOf(channel.lanes)) {
            lane.receiver.lanes.remove(channel);
            channel.remove(lane, false);
        }
        channel.removed();
        channel.counts.subscriptions = 0;
        channel.counts.unrouted += channel.counts.delayed;
        channel.counts.delayed = 0;
        retired.add(channel.counts);
    }
}
