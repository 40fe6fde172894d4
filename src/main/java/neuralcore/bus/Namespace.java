package neuralcore.bus;

import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;

/**
 * The channels of one namespace and everything that waits in them: the state machine of the bus.
 * The package's description says what it promises.
 *
 * <p>A step costs O(1) for each message and subscription that gets it, and O(log s) where s
 * subscriptions of one connection compete. An event that is refused with an exception has changed
 * nothing. Not thread-safe.
 */
public final class Namespace {
    private final Timers timers = new Timers();
    private final Dispatcher dispatcher = new Dispatcher();
    private final Flow flow;
    private final Channels channels;
    private final Intake intake;
    private final Memberships memberships;

    private long nowMillis = Long.MIN_VALUE;

    public Namespace(String name, BusSettings settings, Surroundings surroundings) {
        Names.check("namespace", name);
        flow = new Flow(name);
        channels = new Channels(name, settings, flow);
        intake = new Intake(channels, settings, timers, dispatcher, surroundings);
        memberships =
                new Memberships(
                        channels, timers, dispatcher, surroundings.random(), intake::letter);
    }

    /**
     * Handles one event, after whatever was due before it.
     *
     * @throws NeuralCoreException {@code LIMIT_EXCEEDED} for a channel too many, {@code
     *     INVALID_REQUEST} for a name or credit out of range, {@code ALREADY_EXISTS} for a
     *     subscription id in use, {@code NOT_FOUND} for a subscription or channel to end that is
     *     not there
     */
    public void step(BusEvent event, Effects effects) {
        nowMillis = Math.max(nowMillis, event.nowMillis());
        intake.now(nowMillis);
        if (timers.nextDue() <= nowMillis) {
            timers.fire(nowMillis, effects);
            flush(effects);
        }
        switch (event) {
            case BusEvent.Publish publish -> intake.publish(publish, effects);
            case BusEvent.Subscribe subscribe -> memberships.subscribe(subscribe);
            case BusEvent.Unsubscribe unsubscribe ->
                    memberships.unsubscribe(unsubscribe, nowMillis, effects);
            case BusEvent.Credit credit -> memberships.credit(credit);
            case BusEvent.Settle settle -> memberships.settle(settle, nowMillis, effects);
            case BusEvent.ConnectionClosed closed ->
                    memberships.connectionClosed(closed.connection(), nowMillis, effects);
            case BusEvent.CreateChannel create -> create(create.config(), effects);
            case BusEvent.ConfigureChannel configure ->
                    configure(configure.channel(), configure.changes());
            case BusEvent.LoadProfile load -> load(load.profile());
            case BusEvent.RemoveChannel remove -> remove(remove.channel());
            case BusEvent.Tick _ -> {
                intake.sweep();
                channels.removeIdle(nowMillis);
            }
        }
        flush(effects);
    }

    /** When something is due here that no event brings; {@link Long#MAX_VALUE} if nothing is. */
    public long nextDue() {
        return timers.nextDue();
    }

    /** The counts of each channel, by name. */
    public SortedMap<String, ChannelStats> stats() {
        SortedMap<String, ChannelStats> stats = new TreeMap<>();
        for (Channel channel : channels.all()) {
            stats.put(channel.config().name(), channel.counts.snapshot());
        }
        return stats;
    }

    /** The configuration of each channel, by name. */
    public SortedMap<String, ChannelConfig> configs() {
        SortedMap<String, ChannelConfig> configs = new TreeMap<>();
        for (Channel channel : channels.all()) {
            configs.put(channel.config().name(), channel.config());
        }
        return configs;
    }

    /** The sums over all channels, those removed included. */
    public ChannelStats totals() {
        Counts totals = new Counts();
        addTo(totals);
        return totals.snapshot();
    }

    void addTo(Counts totals) {
        channels.addTo(totals);
    }

    int channels() {
        return channels.size();
    }

    /** Ends every subscription and removes every channel; the sums remain. */
    void close() {
        memberships.endAll(nowMillis);
        for (Channel channel : List.copyOf(channels.all())) {
            channels.remove(channel);
        }
    }

    private void flush(Effects effects) {
        dispatcher.flush(nowMillis, effects);
        flow.flush(effects);
    }

    private void create(ChannelConfig config, Effects effects) {
        Channel known = channels.get(config.name());
        boolean created = known == null || known.isOnDemand();
        if (known == null) {
            channels.add(config, false);
        } else if (created) {
            known.configure(config);
            known.keep();
        }
        effects.created(created);
    }

    private void configure(String channel, Params changes) {
        Channel known = channels.get(channel);
        if (known == null) {
            channels.add(channels.standard(channel).with(changes), false);
        } else {
            known.configure(known.config().with(changes));
            known.keep();
        }
    }

    /**
     * Configures the channels of a profile; those that are there already keep what it leaves out.
     */
    void load(Profile profile) {
        profile.channels().forEach(this::configure);
    }

    private void remove(String name) {
        Channel known = channels.get(name);
        if (known == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND, "There is no channel '%s' here.".formatted(name));
        }
        memberships.endAllOf(known, nowMillis);
        channels.remove(known);
    }
}
