package neuralcore.bus;

import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * The way in: what a message must pass before it waits in the lanes of its channel, and who is told
 * if it does not. In order: was it here before (publisher and number), does its channel open, does
 * the channel's rate allow it, was its idempotency key here before, is it due.
 */
final class Intake {
    private final Channels channels;
    private final BusSettings settings;
    private final Timers timers;
    private final Dispatcher dispatcher;
    private final Surroundings surroundings;
    private final Publishers publishers = new Publishers();
    private final Subject subject = new Subject();

    private long nowMillis = Long.MIN_VALUE;
    private long lastSequence;
    private int delayed;

    /** No message queued anywhere expires before this. */
    private long earliestExpiry = QueuedMessage.NEVER;

    Intake(
            Channels channels,
            BusSettings settings,
            Timers timers,
            Dispatcher dispatcher,
            Surroundings surroundings) {
        this.channels = channels;
        this.settings = settings;
        this.timers = timers;
        this.dispatcher = dispatcher;
        this.surroundings = surroundings;
    }

    /** Every step has a time; it never goes back. */
    void now(long millis) {
        nowMillis = millis;
    }

    void publish(BusEvent.Publish publish, Effects effects) {
        long before = lastSequence;
        int accepted = 0;
        for (Envelope message : publish.messages()) {
            accepted += admit(publish.connection(), message, before, effects);
        }
        effects.published(accepted);
    }

    /**
     * Returns by how much a message changes the number accepted of a batch whose first came after
     * {@code before}: it may have taken the place of one of its own.
     */
    private int admit(String connection, Envelope message, long before, Effects effects) {
        PublisherWindow window = publishers.window(message.publisher());
        Channel channel = channels.get(message.channel());
        if (window.isTaken(message.sequence())) {
            return duplicate(channel, message, effects);
        }
        if (channel == null) {
            try {
                channel = channels.open(message.channel());
            } catch (NeuralCoreException e) {
                return refuse(message, e.code(), effects);
            }
        }
        channel.used(nowMillis);
        long delay = delay(channel, message);
        if (delay < 0) {
            channel.counts.limited++;
            return refuse(message, ErrorCode.RATE_LIMITED, effects);
        }
        if (message.publisher() == Letters.BUS) {
            return refuse(message, ErrorCode.INVALID_REQUEST, effects);
        }
        if (delay > 0 && delayed >= settings.maxDelayed()) {
            return refuse(message, ErrorCode.LIMIT_EXCEEDED, effects);
        }
        String key = key(channel, message);
        if (key != null && channel.keys().isKnown(key, nowMillis)) {
            return duplicate(channel, message, effects);
        }
        QueuedMessage queued = queued(channel, message, connection, delay, key);
        channel.counts.published++;
        int change = 1;
        if (delay > 0) {
            release(queued, channel, delay);
        } else {
            change = route(queued, channel, before, effects);
            if (queued.lost()) {
                return change;
            }
        }
        channel.advance();
        window.take(message.sequence());
        return change;
    }

    /** It was here before: the publisher may forget it, as if it had been accepted. */
    private static int duplicate(@Nullable Channel channel, Envelope message, Effects effects) {
        if (channel != null) {
            channel.counts.duplicates++;
        }
        effects.rejected(message.sequence(), ErrorCode.DUPLICATE);
        return 1;
    }

    private static int refuse(Envelope message, ErrorCode code, Effects effects) {
        effects.rejected(message.sequence(), code);
        return 0;
    }

    /**
     * How long a message is to be held: as it asks for, or as the channel's rate makes it wait
     * where the policy is to wait; -1 if it came too fast.
     */
    private long delay(Channel channel, Envelope message) {
        TokenBucket bucket = channel.bucket();
        if (bucket == null) {
            return message.delayMillis();
        }
        long wait = bucket.nextMillis(nowMillis) - nowMillis;
        boolean waits = channel.config().dropPolicy() == DropPolicy.BLOCK;
        if (wait > (waits ? channel.config().blockTimeoutMillis() : 0)) {
            return -1;
        }
        bucket.take(nowMillis);
        return Math.max(message.delayMillis(), wait);
    }

    private static @Nullable String key(Channel channel, Envelope message) {
        ChannelConfig.Idempotency config = channel.config().idempotency();
        return config == null ? null : Idempotency.keyOf(message, config.field());
    }

    private QueuedMessage queued(
            Channel channel,
            Envelope message,
            String connection,
            long delay,
            @Nullable String key) {
        ChannelConfig config = channel.config();
        Envelope envelope =
                message.priority() == Envelope.DEFAULT_PRIORITY
                        ? message.withPriority(config.defaultPriority())
                        : message;
        long ttl = envelope.ttlMillis() == 0 ? config.ttlMillis() : envelope.ttlMillis();
        long arrived = nowMillis + delay;
        long expires = ttl == 0 ? QueuedMessage.NEVER : arrived + ttl;
        long sequence = ++lastSequence;
        long number = channel.nextSequence();
        if (key == null) {
            return new QueuedMessage(envelope, connection, sequence, number, arrived, expires);
        }
        channel.keys().begins(key);
        return new QueuedMessage(envelope, connection, sequence, number, arrived, expires) {
            @Override
            void ended() {
                if (done) {
                    channel.keys().done(key, nowMillis, channel.config().idempotency());
                } else {
                    channel.keys().released(key);
                }
            }
        };
    }

    private void release(QueuedMessage message, Channel channel, long afterMillis) {
        channel.counts.delayed++;
        delayed++;
        timers.set(new Delayed(message, channel), nowMillis + afterMillis);
    }

    /** A message whose time has not come. */
    private final class Delayed extends Timers.Timer {
        private final QueuedMessage message;
        private final Channel channel;

        Delayed(QueuedMessage message, Channel channel) {
            this.message = message;
            this.channel = channel;
        }

        @Override
        void fire(long now, Effects effects) {
            delayed--;
            if (!channel.isRemoved()) {
                channel.counts.delayed--;
                route(message, channel, Long.MAX_VALUE, effects);
            }
        }
    }

    /**
     * Queues a message for each receiver that wants it, and tells of what that displaced. Returns
     * what it means to the number accepted of the batch that began after {@code before}.
     */
    private int route(QueuedMessage message, Channel channel, long before, Effects effects) {
        subject.of(message.envelope);
        int change = 1;
        boolean wanted = false;
        for (Lane lane : channel.lanes) {
            if (!lane.receiver.wants(subject)) {
                continue;
            }
            wanted = true;
            QueuedMessage displaced = lane.offer(message, nowMillis);
            if (displaced != message) {
                dispatcher.ready(lane);
            }
            if (displaced != null && displaced != message && displaced.lost()) {
                change -= tellLost(displaced, before, effects);
            }
        }
        if (!wanted) {
            channel.counts.unrouted++;
            message.delivered = true;
            message.ended();
            return change;
        }
        if (message.lost()) {
            message.ended();
            channel.holdBack(message.publisher, effects);
            return change - tellLost(message, before, effects);
        }
        if (channel.config().dropPolicy() == DropPolicy.BLOCK && channel.room() == 0) {
            channel.holdBack(message.publisher, effects);
        }
        earliestExpiry = Math.min(earliestExpiry, message.expiresAtMillis);
        return change;
    }

    /** Returns how many messages of the batch in hand that takes back. */
    private static int tellLost(QueuedMessage message, long before, Effects effects) {
        if (message.sequence > before) {
            effects.rejected(message.envelope.sequence(), ErrorCode.QUEUE_FULL);
            return 1;
        }
        message.tellEvicted(effects);
        return 0;
    }

    /** A dead letter goes in without being asked anything. */
    void letter(QueuedMessage message, Lane lane, String reason, Effects effects) {
        String target = lane.channel.config().deadLetterChannel();
        if (target == null || Letters.isLetter(message.envelope)) {
            return;
        }
        Channel channel;
        try {
            channel = channels.open(target);
        } catch (NeuralCoreException tooMany) {
            return;
        }
        channel.used(nowMillis);
        channel.counts.published++;
        Envelope letter =
                Letters.write(
                        target,
                        lastSequence + 1,
                        surroundings.epochMillis().getAsLong() * 1_000_000,
                        message.envelope,
                        lane.receiver.name(),
                        reason);
        QueuedMessage queued = queued(channel, letter, QueuedMessage.NOBODY, 0, null);
        route(queued, channel, Long.MAX_VALUE, effects);
        if (!queued.lost()) {
            channel.advance();
        }
    }

    // Time to live

    /** Drops what has expired from every lane, if anything can have. */
    void sweep() {
        if (earliestExpiry > nowMillis) {
            return;
        }
        earliestExpiry = QueuedMessage.NEVER;
        for (Channel channel : channels.all()) {
            for (Lane lane : channel.lanes) {
                lane.sweep(nowMillis);
                earliestExpiry = Math.min(earliestExpiry, lane.earliestExpiry());
            }
        }
    }
}
