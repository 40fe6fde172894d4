package neuralcore.bus;

import java.util.HashMap;
import java.util.Map;
import neuralcore.journal.Durability;
import neuralcore.journal.Entry;
import neuralcore.journal.StoredMessage;
import neuralcore.wire.Burial;
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
    /** Makes a publisher's number that of what it has had buried. */
    private static final long BURIED = 0x6275_7269_6564_2121L;

    private static final Ledger.Held NOTHING =
            new Ledger.Held() {
                @Override
                public void kept(Effects effects) {}

                @Override
                public void refused(ErrorCode code, Effects effects) {}
            };

    private final Channels channels;
    private final BusSettings settings;
    private final Timers timers;
    private final Dispatcher dispatcher;
    private final Surroundings surroundings;
    private final Publishers publishers = new Publishers();
    private final Subject subject = new Subject();

    /** The greatest number of each publisher in the step in hand. */
    private final Map<Long, Long> seen = new HashMap<>();

    private long nowMillis = Long.MIN_VALUE;
    private long lastSequence;
    private int delayed;

    /** Where messages of persistent channels are kept; null as long as there are none. */
    private @Nullable Ledger ledger;

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

    /** Goes on where a journal had come to. */
    void recover(Ledger from, long sequence, Map<Long, Long> publisherNumbers) {
        ledger = from;
        lastSequence = Math.max(lastSequence, sequence);
        publisherNumbers.forEach((id, number) -> publishers.window(id).takeUpTo(number));
    }

    long lastSequence() {
        return lastSequence;
    }

    void publish(BusEvent.Publish publish, Effects effects) {
        long before = lastSequence;
        int accepted = 0;
        for (Envelope message : publish.messages()) {
            Burial reason = publish.dead().get(message.sequence());
            accepted +=
                    reason == null
                            ? admit(publish.connection(), message, before, effects)
                            : bury(publish.connection(), message, reason, effects);
        }
        effects.published(accepted);
        if (ledger != null && !seen.isEmpty()) {
            Ledger to = ledger;
            seen.forEach(
                    (id, number) -> to.write(new Entry.PublisherSeen(id, number), Durability.OS));
            seen.clear();
        }
    }

    /** Whether a message of the bus itself is taken. */
    boolean takes(Envelope message, Effects effects) {
        return admit(QueuedMessage.NOBODY, message, Long.MAX_VALUE, effects) == 1;
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
        if (channel.ledger() != null) {
            return keep(channel.ledger(), channel, message, connection, delay, key, effects);
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

    /**
     * A message that is not to come into its channel goes to the dead letters of that. Its number
     * is known again, as of a publisher beside its own: what is buried may have come before.
     */
    private int bury(String connection, Envelope message, Burial why, Effects effects) {
        long beside = message.publisher() ^ BURIED;
        PublisherWindow window = publishers.window(beside);
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
        ErrorCode refusal = channel.ledger() == null ? null : channel.ledger().refusal();
        if (refusal != null) {
            return refuse(message, refusal, effects);
        }
        channel.counts.dead++;
        letter(message, channel, why.by(), connection, why.reason(), effects);
        window.take(message.sequence());
        if (channel.ledger() != null) {
            seen.merge(beside, message.sequence(), Long::max);
        }
        return 1;
    }

    /** It was here before: the publisher may forget it, as if it had been accepted. */
    private static int duplicate(@Nullable Channel channel, Envelope message, Effects effects) {
        if (channel != null) {
            channel.counts.duplicates++;
            if (channel.ledger() != null) {
                // The first may not be kept yet, and the answer is to mean that it is.
                channel.ledger().afterwards(NOTHING);
            }
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
        return new Keyed(envelope, connection, sequence, number, arrived, expires, channel, key);
    }

    // Persistent channels

    /** Has a message kept; it goes on once it is. */
    private int keep(
            Ledger to,
            Channel channel,
            Envelope message,
            String connection,
            long delay,
            @Nullable String key,
            Effects effects) {
        ErrorCode refusal = to.refusal();
        if (refusal == null && channel.isFull()) {
            refusal = ErrorCode.QUEUE_FULL;
        }
        if (refusal != null) {
            if (refusal == ErrorCode.QUEUE_FULL) {
                channel.holdBack(connection, effects);
            }
            return refuse(message, refusal, effects);
        }
        to.beforeMessage(effects);
        write(to, channel, message, message.sequence(), connection, delay, key);
        publishers.window(message.publisher()).take(message.sequence());
        seen.merge(message.publisher(), message.sequence(), Long::max);
        return 1;
    }

    /**
     * @param number by which the connection knows what it has sent
     */
    private void write(
            Ledger to,
            Channel channel,
            Envelope message,
            long number,
            String connection,
            long delay,
            @Nullable String key) {
        ChannelConfig config = channel.config();
        Envelope envelope =
                message.priority() == Envelope.DEFAULT_PRIORITY
                        ? message.withPriority(config.defaultPriority())
                        : message;
        long ttl = envelope.ttlMillis() == 0 ? config.ttlMillis() : envelope.ttlMillis();
        long wall = surroundings.epochMillis().getAsLong();
        Keeping keeping =
                new Keeping(
                        envelope,
                        number,
                        connection,
                        ++lastSequence,
                        nowMillis + delay,
                        ttl == 0 ? QueuedMessage.NEVER : nowMillis + delay + ttl,
                        channel,
                        key);
        Durability durability = config.storage().durability();
        to.write(
                new Entry.Message(
                        keeping.sequence,
                        envelope,
                        delay == 0 ? 0 : wall + delay,
                        ttl == 0 ? 0 : wall + delay + ttl),
                durability,
                keeping);
        channel.uncommitted++;
        if (key != null) {
            channel.keys().begins(key);
            ChannelConfig.Idempotency keys = config.idempotency();
            long expires = keys == null ? wall : wall + keys.ttlMillis();
            to.write(
                    new Entry.KeyMarked(config.name(), key, false, keeping.sequence, expires),
                    durability);
        }
    }

    /** A message on its way into the journal. */
    private final class Keeping implements Ledger.Held {
        private final Envelope envelope;
        private final long number;
        private final String connection;
        final long sequence;
        private final long arrives;
        private final long expires;
        private final Channel channel;
        private final @Nullable String key;

        Keeping(
                Envelope envelope,
                long number,
                String connection,
                long sequence,
                long arrives,
                long expires,
                Channel channel,
                @Nullable String key) {
            this.envelope = envelope;
            this.number = number;
            this.connection = connection;
            this.sequence = sequence;
            this.arrives = arrives;
            this.expires = expires;
            this.channel = channel;
            this.key = key;
        }

        @Override
        public void kept(Effects effects) {
            if (channel.isRemoved()) {
                return;
            }
            channel.uncommitted--;
            channel.counts.published++;
            long number = channel.nextSequence();
            channel.advance();
            channel.keptUpTo = sequence;
            channel.priorities.add(envelope.priority());
            QueuedMessage message =
                    key == null
                            ? new QueuedMessage(
                                    envelope, connection, sequence, number, arrives, expires)
                            : new Keyed(
                                    envelope,
                                    connection,
                                    sequence,
                                    number,
                                    arrives,
                                    expires,
                                    channel,
                                    key);
            routeKept(message, channel);
        }

        @Override
        public void refused(ErrorCode code, Effects effects) {
            channel.uncommitted--;
            if (key != null) {
                channel.keys().released(key);
            }
            if (!connection.equals(QueuedMessage.NOBODY)) {
                effects.refused(connection, number, code);
            }
        }
    }

    private boolean isFor(Receiver receiver, boolean alone) {
        return (!alone || receiver.isExclusive()) && receiver.wants(subject);
    }

    private void routeKept(QueuedMessage message, Channel channel) {
        subject.of(message.envelope);
        boolean wanted = false;
        boolean alone = channel.isTakenAlone(subject);
        for (Lane lane : channel.lanes) {
            if (!isFor(lane.receiver, alone)) {
                lane.receiver.unwanted(message);
                continue;
            }
            wanted = true;
            lane.offer(message, nowMillis);
            dispatcher.ready(lane);
        }
        if (!wanted) {
            channel.counts.unrouted++;
            message.done = true;
            message.ended();
        }
    }

    /** What a page brought, as it would wait if it had waited in memory. */
    QueuedMessage thaw(StoredMessage stored, Channel channel, boolean keyed) {
        long wall = surroundings.epochMillis().getAsLong();
        long arrives =
                stored.dueAtMillis() == 0 ? nowMillis : nowMillis + stored.dueAtMillis() - wall;
        long expires =
                stored.expiresAtMillis() == 0
                        ? QueuedMessage.NEVER
                        : nowMillis + stored.expiresAtMillis() - wall;
        Envelope envelope = stored.envelope();
        String key = keyed ? key(channel, envelope) : null;
        return key == null
                ? new QueuedMessage(
                        envelope,
                        QueuedMessage.NOBODY,
                        stored.sequence(),
                        stored.number(),
                        arrives,
                        expires)
                : new Keyed(
                        envelope,
                        QueuedMessage.NOBODY,
                        stored.sequence(),
                        stored.number(),
                        arrives,
                        expires,
                        channel,
                        key);
    }

    /** A message with an idempotency key, whose end decides what becomes of the key. */
    private final class Keyed extends QueuedMessage {
        private final Channel channel;
        private final String key;

        Keyed(
                Envelope envelope,
                String publisher,
                long sequence,
                long channelSequence,
                long arrivedMillis,
                long expiresAtMillis,
                Channel channel,
                String key) {
            super(envelope, publisher, sequence, channelSequence, arrivedMillis, expiresAtMillis);
            this.channel = channel;
            this.key = key;
        }

        @Override
        void ended() {
            ChannelConfig.Idempotency config = channel.config().idempotency();
            Ledger to = ledger;
            if (done) {
                channel.keys().done(key, nowMillis, config);
            } else {
                channel.keys().released(key);
            }
            if (to == null || channel.isRemoved() || channel.ledger() == null) {
                return;
            }
            String name = channel.config().name();
            if (done && config != null) {
                long expires = surroundings.epochMillis().getAsLong() + config.ttlMillis();
                to.write(new Entry.KeyMarked(name, key, true, sequence, expires), Durability.DISK);
            } else if (!done) {
                to.write(new Entry.KeyReleased(name, key), Durability.DISK);
            }
        }
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
        boolean alone = channel.isTakenAlone(subject);
        for (Lane lane : channel.lanes) {
            if (!isFor(lane.receiver, alone)) {
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
            if (channel.config().dropPolicy() != DropPolicy.DROP_OLD) {
                // There, the next may be more urgent than what waits.
                channel.holdBack(message.publisher, effects);
            }
            return change - tellLost(message, before, effects);
        }
        if (channel.hasNoPlaceToWait()) {
            channel.holdBack(message.publisher, effects);
        }
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

    /**
     * A dead letter goes in without being asked anything.
     *
     * @return whether it is being kept
     */
    boolean letter(QueuedMessage message, Lane lane, String reason, Effects effects) {
        return letter(
                message.envelope,
                lane.channel,
                lane.receiver.name(),
                QueuedMessage.NOBODY,
                reason,
                effects);
    }

    /**
     * @param connection who is to be told, by the message's number, if it cannot be kept
     */
    private boolean letter(
            Envelope message,
            Channel origin,
            String by,
            String connection,
            String reason,
            Effects effects) {
        String target = origin.config().deadLetterChannel();
        if (target == null || Letters.isLetter(message)) {
            return false;
        }
        Channel channel;
        try {
            channel = letterChannel(target, origin, effects);
        } catch (NeuralCoreException tooMany) {
            return false;
        }
        channel.used(nowMillis);
        Envelope letter =
                Letters.write(
                        target,
                        lastSequence + 1,
                        surroundings.epochMillis().getAsLong() * 1_000_000,
                        message,
                        by,
                        reason);
        if (channel.ledger() != null) {
            write(channel.ledger(), channel, letter, message.sequence(), connection, 0, null);
            return true;
        }
        channel.counts.published++;
        QueuedMessage queued = queued(channel, letter, QueuedMessage.NOBODY, 0, null);
        route(queued, channel, Long.MAX_VALUE, effects);
        if (!queued.lost()) {
            channel.advance();
        }
        return false;
    }

    /** What cannot be dealt with in a persistent channel is kept, unless its own says otherwise. */
    private Channel letterChannel(String target, Channel origin, Effects effects) {
        Channel known = channels.get(target);
        if (known != null || origin.ledger() == null) {
            return channels.open(target);
        }
        Channel channel = channels.add(channels.standard(target).keptLike(origin.config()), false);
        channels.keep(channel, origin.ledger());
        origin.ledger().flush(effects);
        return channel;
    }
}
