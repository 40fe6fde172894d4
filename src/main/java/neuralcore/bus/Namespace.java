package neuralcore.bus;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import neuralcore.journal.Durability;
import neuralcore.journal.Entry;
import neuralcore.journal.Pruned;
import neuralcore.journal.Recovery;
import neuralcore.journal.StoredMessage;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * The channels of one namespace and everything that waits in them: the state machine of the bus.
 * The package's description says what it promises.
 *
 * <p>A step costs O(1) for each message and subscription that gets it, and O(log s) where s
 * subscriptions of one connection compete. An event that is refused with an exception has changed
 * nothing. Not thread-safe.
 */
public final class Namespace {
    private final String name;
    private final Surroundings surroundings;
    private final Timers timers = new Timers();
    private final Dispatcher dispatcher;
    private final Flow flow;
    private final Channels channels;
    private final Intake intake;
    private final Memberships memberships;

    /** Where persistent channels are kept; null as long as there are none. */
    private @Nullable Ledger ledger;

    private long nowMillis = Long.MIN_VALUE;

    /** One by itself: nothing else is under way to its connections. */
    public Namespace(String name, BusSettings settings, Surroundings surroundings) {
        this(name, settings, surroundings, connection -> new Window());
    }

    /**
     * @param windows the window of each connection, by its name
     */
    Namespace(
            String name,
            BusSettings settings,
            Surroundings surroundings,
            Function<String, Window> windows) {
        Names.check("namespace", name);
        this.name = name;
        this.surroundings = surroundings;
        dispatcher = new Dispatcher(surroundings.lastLook());
        flow = new Flow(name);
        channels = new Channels(name, settings, flow);
        intake = new Intake(channels, settings, timers, dispatcher, surroundings);
        memberships =
                new Memberships(
                        channels,
                        timers,
                        dispatcher,
                        surroundings.random(),
                        intake::letter,
                        this::keptChannel,
                        connection -> new Subscriber(connection, name, windows.apply(connection)));
        channels.thaw(intake::thaw);
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
        timers.now(nowMillis);
        if (timers.nextDue() <= nowMillis) {
            timers.fire(nowMillis, effects);
            flush(effects);
        }
        try {
            handle(event, effects);
        } finally {
            flush(effects);
        }
    }

    private void handle(BusEvent event, Effects effects) {
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
            case BusEvent.Purge purge -> purge(purge);
            case BusEvent.Requeue requeue -> requeue(requeue, effects);
            case BusEvent.JournalSpoke _ -> {
                if (ledger != null) {
                    ledger.listen(effects);
                }
            }
            case BusEvent.Tick _ -> {
                channels.sweep(nowMillis);
                channels.removeIdle(nowMillis);
            }
        }
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

    /** Whether nobody would miss it: no channels, and no patterns that wait for some. */
    boolean isUnused() {
        return channels.size() == 0 && hasNoSubscribers();
    }

    boolean hasNoSubscribers() {
        return memberships.isEmpty();
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
        if (ledger != null) {
            ledger.flush(effects);
        }
    }

    // Persistence

    /** Whether something of it is kept. */
    boolean isKept() {
        return ledger != null;
    }

    /** Whether its journal's files are not where they were opened any more. */
    boolean hasLostItsFiles() {
        return ledger != null && !ledger.journal().isInPlace();
    }

    @Nullable Ledger ledger() {
        return ledger;
    }

    /** Opens its journal, and goes on where that had come to; null where nothing is kept. */
    @Nullable Ledger openLedger() {
        Surroundings.Storage storage = surroundings.storage();
        if (ledger != null || storage == null || Namespaces.isPrivate(name)) {
            return ledger;
        }
        Ledger opened = new Ledger(name, storage, this::pruned);
        Recovery recovery = opened.journal().recovery();
        ledger = opened;
        intake.recover(opened, recovery.lastSequence(), recovery.publishers());
        for (Recovery.Channel found : recovery.channels()) {
            recover(opened, found, recovery.lastSequence());
        }
        for (Recovery.Subscription found : recovery.subscriptions()) {
            Channel channel = channels.get(found.name().channel());
            if (channel != null) {
                memberships.recover(channel, opened, found, nowMillis);
            }
        }
        for (Recovery.Key key : recovery.keys()) {
            Channel channel = channels.get(key.channel());
            if (channel != null) {
                long left = key.expiresAtMillis() - surroundings.epochMillis().getAsLong();
                channel.keys()
                        .recover(
                                key.key(), key.done(), surroundings.nowMillis().getAsLong() + left);
            }
        }
        return opened;
    }

    private void recover(Ledger opened, Recovery.Channel found, long lastSequence) {
        Params given =
                new Params(
                        Json.readObject(
                                ByteBuffer.wrap(found.config().getBytes(StandardCharsets.UTF_8))));
        ChannelConfig config = channels.standard(found.name()).with(given);
        Channel channel = channels.get(found.name());
        if (channel == null) {
            channel = channels.add(config, false);
        } else {
            channel.configure(config);
            channel.keep();
        }
        channel.priorities.addAll(found.priorities());
        channels.logged(channel, opened, found.lastNumber(), lastSequence);
    }

    /** A channel for a durable subscription. */
    private @Nullable Channel keptChannel(String channel) {
        Ledger to = openLedger();
        if (to == null) {
            return null;
        }
        Channel known = channels.get(channel);
        if (known != null && known.ledger() != null) {
            return known;
        }
        if (known != null && !known.isOnDemand()) {
            throw NeuralCoreException.invalid(
                    "Channel '%s' is not persistent; configure it with 'persistent': true first."
                            .formatted(channel));
        }
        configure(channel, new Params(Map.of("persistent", true)));
        return channels.get(channel);
    }

    /** Has a channel kept if its configuration says so. */
    private void keepIfPersistent(Channel channel) {
        boolean persistent = channel.config().storage().persistent();
        Ledger to = persistent ? openLedger() : null;
        if (to != null) {
            channels.keep(channel, to);
        }
    }

    private void purge(BusEvent.Purge purge) {
        Channel channel = channels.get(purge.channel());
        if (channel == null || channel.ledger() == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND,
                    "There is no persistent channel '%s' here.".formatted(purge.channel()));
        }
        long upTo = Math.min(purge.upToNumber(), channel.lastNumber());
        for (Lane lane : channel.lanes) {
            Durable durable = lane.receiver.durable;
            if (purge.settledOnly() && durable != null) {
                upTo = Math.min(upTo, durable.acks.floor());
            }
        }
        channel.ledger().write(new Entry.Purged(purge.channel(), upTo), Durability.DISK);
    }

    private void requeue(BusEvent.Requeue requeue, Effects effects) {
        Channel channel = channels.get(requeue.channel());
        Ledger kept = channel == null ? null : channel.ledger();
        long publisher = surroundings.random().nextLong();
        long upTo = 0;
        int requeued = 0;
        for (StoredMessage letter : requeue.letters()) {
            Envelope origin = Letters.origin(letter.envelope(), publisher, requeued + 1);
            if (origin == null || !intake.takes(origin, effects)) {
                break;
            }
            requeued++;
            upTo = letter.number();
        }
        if (kept != null && upTo > 0) {
            kept.write(new Entry.Purged(requeue.channel(), upTo), Durability.DISK);
        }
        effects.published(requeued);
    }

    private void pruned(Pruned pruned) {
        Channel channel = channels.get(pruned.channel());
        if (channel != null) {
            channel.counts.pruned += pruned.rows();
            channel.counts.prunedUnacknowledged += pruned.unacknowledged();
            if (pruned.unacknowledged() > 0) {
                channel.lanes.forEach(lane -> lane.pruned(pruned.upToNumber()));
            }
        }
    }

    void closeLedger() {
        if (ledger != null) {
            ledger.journal().close();
        }
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
        Channel channel = channels.get(config.name());
        if (created && channel != null) {
            keepIfPersistent(channel);
        }
        effects.created(created);
    }

    private void configure(String channel, Params changes) {
        Channel known = channels.get(channel);
        if (known == null) {
            keepIfPersistent(channels.add(channels.standard(channel).with(changes), false));
        } else {
            ChannelConfig config = known.config().with(changes);
            if (known.ledger() != null && !config.storage().persistent()) {
                throw NeuralCoreException.invalid(
                        "Channel '%s' is persistent and stays so; remove it to begin anew."
                                .formatted(channel));
            }
            known.configure(config);
            known.keep();
            keepIfPersistent(known);
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
        Ledger kept = known.ledger();
        if (kept != null) {
            kept.write(new Entry.ChannelRemoved(name), Durability.DISK);
        }
        memberships.endAllOf(known, nowMillis);
        channels.remove(known);
    }
}
