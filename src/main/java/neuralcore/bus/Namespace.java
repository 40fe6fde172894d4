package neuralcore.bus;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.SortedMap;
import java.util.TreeMap;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;

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
    private final BusSettings settings;
    private final Map<String, Channel> channels = new HashMap<>();
    private final Map<String, Subscriber> subscribers = new HashMap<>();

    /** Subscribers that may have something to deliver at the end of this step. */
    private final List<Subscriber> touched = new ArrayList<>();

    private final PriorityQueue<Subscription> picks =
            new PriorityQueue<>(Subscription.MOST_URGENT_FIRST);

    /** What removed channels counted. */
    private final Counts retired = new Counts();

    private long nowMillis = Long.MIN_VALUE;
    private long arrivals;
    private long subscriptionsMade;

    /** No message queued anywhere expires before this. */
    private long earliestExpiry = QueuedMessage.NEVER;

    private long nextIdleSweep = Long.MIN_VALUE;

    public Namespace(String name, BusSettings settings) {
        Names.check("namespace", name);
        this.name = name;
        this.settings = settings;
    }

    /**
     * Handles one event.
     *
     * @throws NeuralCoreException {@code LIMIT_EXCEEDED} for a channel too many, {@code
     *     INVALID_REQUEST} for a name or credit out of range, {@code ALREADY_EXISTS} for a
     *     subscription id in use, {@code NOT_FOUND} for one to end that is not there
     */
    public void step(BusEvent event, Effects effects) {
        nowMillis = Math.max(nowMillis, event.nowMillis());
        switch (event) {
            case BusEvent.Publish publish -> publish(publish, effects);
            case BusEvent.Subscribe subscribe -> subscribe(subscribe);
            case BusEvent.Unsubscribe unsubscribe -> unsubscribe(unsubscribe);
            case BusEvent.Credit credit -> credit(credit);
            case BusEvent.ConnectionClosed closed -> connectionClosed(closed);
            case BusEvent.CreateChannel create -> create(create, effects);
            case BusEvent.Tick tick -> tick();
        }
        for (Subscriber subscriber : touched) {
            subscriber.flush(nowMillis, effects, picks);
        }
        touched.clear();
    }

    /** The counts of each channel, by name. */
    public SortedMap<String, ChannelStats> stats() {
        SortedMap<String, ChannelStats> stats = new TreeMap<>();
        channels.forEach((name, channel) -> stats.put(name, channel.counts.snapshot()));
        return stats;
    }

    /** The sums over all channels, those removed included. */
    public ChannelStats totals() {
        Counts totals = new Counts();
        addTo(totals);
        return totals.snapshot();
    }

    void addTo(Counts totals) {
        totals.add(retired);
        for (Channel channel : channels.values()) {
            totals.add(channel.counts);
        }
    }

    int channels() {
        return channels.size();
    }

    /** Ends every subscription and removes every channel; the sums remain. */
    void close() {
        List<Subscriber> all = new ArrayList<>(subscribers.values());
        all.forEach(this::end);
        channels.values().forEach(channel -> retired.add(channel.counts));
        channels.clear();
    }

    private void publish(BusEvent.Publish publish, Effects effects) {
        long before = arrivals;
        int accepted = 0;
        for (Envelope message : publish.messages()) {
            accepted += enqueue(publish.connection(), message, before, effects);
        }
        effects.published(accepted);
    }

    /**
     * Queues a message for each subscription of its channel. Returns by how much that changes the
     * number of messages accepted of a batch whose first arrival came after {@code before}: it may
     * have taken the place of one of its own.
     */
    private int enqueue(String connection, Envelope message, long before, Effects effects) {
        if (message.delayMillis() > 0) {
            effects.rejected(message.sequence(), ErrorCode.NOT_SUPPORTED);
            return 0;
        }
        Channel channel = channels.get(message.channel());
        if (channel == null) {
            try {
                channel = open(message.channel());
            } catch (NeuralCoreException e) {
                effects.rejected(message.sequence(), e.code());
                return 0;
            }
        }
        channel.used(nowMillis);
        channel.counts.published++;
        if (channel.subscriptions.isEmpty()) {
            channel.counts.unrouted++;
            channel.advance();
            return 1;
        }
        Envelope envelope =
                message.priority() == Envelope.DEFAULT_PRIORITY
                        ? message.withPriority(channel.config().defaultPriority())
                        : message;
        QueuedMessage queued =
                new QueuedMessage(
                        envelope, connection, ++arrivals, channel.nextSequence(), nowMillis);
        int accepted = 1;
        for (Subscription subscription : channel.subscriptions) {
            QueuedMessage displaced = subscription.offer(queued, nowMillis);
            if (displaced != queued && subscription.subscriber.becameReady(subscription)) {
                touched.add(subscription.subscriber);
            }
            if (displaced != null && displaced != queued && displaced.lost()) {
                accepted -= tellLost(displaced, before, effects);
            }
        }
        if (queued.lost()) {
            return accepted - tellLost(queued, before, effects);
        }
        channel.advance();
        earliestExpiry = Math.min(earliestExpiry, queued.expiresAtMillis);
        return accepted;
    }

    /** Returns how many messages of the batch in hand that takes back. */
    private static int tellLost(QueuedMessage message, long before, Effects effects) {
        if (message.arrival > before) {
            effects.rejected(message.envelope.sequence(), ErrorCode.QUEUE_FULL);
            return 1;
        }
        effects.evicted(message.publisher, message.envelope.sequence());
        return 0;
    }

    private void subscribe(BusEvent.Subscribe subscribe) {
        if (subscribe.credit() < 0) {
            throw NeuralCoreException.invalid(
                    "The credit is %d; it must not be negative.".formatted(subscribe.credit()));
        }
        Subscriber known = subscribers.get(subscribe.connection());
        if (known != null && known.subscriptions.containsKey(subscribe.subscription())) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "Subscription %s is in use by this connection; choose another number."
                            .formatted(Integer.toUnsignedString(subscribe.subscription())));
        }
        Channel channel = channels.get(subscribe.channel());
        if (channel == null) {
            channel = open(subscribe.channel());
        }
        channel.used(nowMillis);
        Subscriber subscriber =
                subscribers.computeIfAbsent(subscribe.connection(), Subscriber::new);
        Subscription subscription =
                new Subscription(
                        subscribe.subscription(),
                        subscriber,
                        channel,
                        ++subscriptionsMade,
                        subscribe.credit());
        subscriber.subscriptions.put(subscription.id, subscription);
        channel.add(subscription);
    }

    private void unsubscribe(BusEvent.Unsubscribe unsubscribe) {
        Subscriber subscriber = subscribers.get(unsubscribe.connection());
        Subscription subscription =
                subscriber == null
                        ? null
                        : subscriber.subscriptions.remove(unsubscribe.subscription());
        if (subscriber == null || subscription == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND,
                    "This connection has no subscription %s."
                            .formatted(Integer.toUnsignedString(unsubscribe.subscription())));
        }
        end(subscription);
        if (subscriber.subscriptions.isEmpty()) {
            subscribers.remove(subscriber.connection);
        }
    }

    private void credit(BusEvent.Credit credit) {
        Subscriber subscriber = subscribers.get(credit.connection());
        if (subscriber == null) {
            return;
        }
        for (Frame.Grant grant : credit.grants()) {
            Subscription subscription = subscriber.subscriptions.get(grant.subscription());
            if (subscription != null) {
                subscription.grant(grant.messages());
                if (subscriber.becameReady(subscription)) {
                    touched.add(subscriber);
                }
            }
        }
    }

    private void connectionClosed(BusEvent.ConnectionClosed closed) {
        Subscriber subscriber = subscribers.get(closed.connection());
        if (subscriber != null) {
            end(subscriber);
        }
    }

    private void end(Subscriber subscriber) {
        subscriber.subscriptions.values().forEach(this::end);
        subscribers.remove(subscriber.connection);
    }

    private void end(Subscription subscription) {
        subscription.channel.remove(subscription);
        subscription.channel.used(nowMillis);
    }

    private void create(BusEvent.CreateChannel create, Effects effects) {
        ChannelConfig config = create.config();
        Channel known = channels.get(config.name());
        boolean created;
        if (known == null) {
            add(new Channel(config, false));
            created = true;
        } else {
            created = known.configure(config);
        }
        effects.created(created);
    }

    private Channel open(String channel) {
        return add(new Channel(settings.channel(channel), true));
    }

    private Channel add(Channel channel) {
        if (channels.size() >= settings.maxChannels()) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "Namespace '%s' has %d channels, as many as it may; '%s' is one too many."
                            .formatted(name, channels.size(), channel.config().name()));
        }
        channels.put(channel.config().name(), channel);
        return channel;
    }

    private void tick() {
        if (earliestExpiry <= nowMillis) {
            earliestExpiry = QueuedMessage.NEVER;
            for (Channel channel : channels.values()) {
                for (Subscription subscription : channel.subscriptions) {
                    subscription.sweep(nowMillis);
                    earliestExpiry = Math.min(earliestExpiry, subscription.earliestExpiry());
                }
            }
        }
        if (nextIdleSweep <= nowMillis) {
            removeIdleChannels();
        }
    }

    private void removeIdleChannels() {
        long idle = settings.channelIdle().toMillis();
        for (Iterator<Channel> all = channels.values().iterator(); all.hasNext(); ) {
            Channel channel = all.next();
            if (channel.isIdle(nowMillis - idle)) {
                retired.add(channel.counts);
                all.remove();
            }
        }
        nextIdleSweep = nowMillis + Math.max(1, idle / 10);
    }
}
