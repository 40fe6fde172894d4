package verticles.relay;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import neuralcore.relay.Inbound;
import neuralcore.relay.KafkaProperties;
import neuralcore.relay.Positions;
import neuralcore.relay.Route;
import neuralcore.relay.Target;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthenticationException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One membership of an incoming route in a topic's consumer group.
 *
 * <p>One round after another: ask the broker for messages, hand them to the bus, partition by
 * partition and each in its order, and when the bus has them all tell the group so. Only then the
 * broker is asked again, and only while it is asked can the group give partitions to others: so
 * whoever gets one goes on behind what this node has taken. Where the bus has no room, the
 * partitions are paused and the rounds go on without messages, for who does not ask falls out of
 * the group.
 *
 * <p>Messages are known by topic, partition and offset, over restarts. The consumer connects again
 * by itself. Belongs to the relay's event loop.
 */
final class KafkaIn {
    private static final Logger log = LoggerFactory.getLogger(KafkaIn.class);

    /** How long one question waits for messages. */
    private static final Duration ASK = Duration.ofMillis(200);

    private static final long FIRST_PAUSE_MILLIS = 10;
    private static final long LONGEST_PAUSE_MILLIS = 500;
    private static final long LONGEST_ROUND_NANOS = 120_000_000_000L;
    private static final long LAST_WORD_MILLIS = 2_000;

    private final RelayContext relay;
    private final Route.In route;
    private final Target.TopicGroup topic;
    private final KafkaEntries entries;
    private final KafkaProperties properties;

    /** Asks which topic stands behind the name; another one of the same name has another id. */
    private final Supplier<Future<String>> identity;

    /** Told of what only new clients can mend. */
    private final java.util.function.Consumer<String> broken;

    private final Map<Integer, Partition> partitions = new TreeMap<>();
    private @Nullable KafkaReader reader;
    private @Nullable String topicId;

    /** Whether a round is under way, and since when. */
    private boolean asking;

    private long askedNanos;

    /** Whether the partitions are paused. */
    private boolean held;

    /** Whether the bus had no room for something that is here. */
    private boolean full;

    private boolean stopped;
    private int errorsInRow;

    /** Where this object is to end: done when the bus has answered for all that it was offered. */
    private @Nullable Promise<Void> allAnswered;

    /** What has been read of one partition and is not with the bus yet. */
    private final class Partition {
        final int number;
        final long publisher;
        final Inbound inbound = new Inbound(relay.recent());

        /** Where the group is to go on, or -1 if nothing was done since it was told. */
        long next = -1;

        long pauseMillis = FIRST_PAUSE_MILLIS;

        Partition(int number, String topicId) {
            this.number = number;
            this.publisher =
                    Positions.publisher(
                            topicId,
                            topic.name(),
                            Integer.toString(number),
                            topic.group(),
                            route.namespace(),
                            route.channel());
        }
    }

    KafkaIn(
            RelayContext relay,
            Route.In route,
            Target.TopicGroup topic,
            KafkaProperties properties,
            Supplier<Future<String>> identity,
            java.util.function.Consumer<String> broken) {
        this.relay = relay;
        this.route = route;
        this.topic = topic;
        this.entries = new KafkaEntries(relay, route, topic);
        this.properties = properties;
        this.identity = identity;
        this.broken = broken;
    }

    /** Messages in the topic behind those read, of the partition that is most behind. */
    long lag() {
        KafkaReader from = reader;
        if (from == null) {
            return -1;
        }
        return from.metrics().entrySet().stream()
                .filter(metric -> metric.getKey().name().equals("records-lag-max"))
                .filter(metric -> !metric.getKey().tags().containsKey("topic"))
                .mapToLong(
                        metric ->
                                metric.getValue().metricValue() instanceof Double value
                                                && !value.isNaN()
                                        ? Math.round(value)
                                        : 0)
                .max()
                .orElse(0);
    }

    int size() {
        return partitions.values().stream().mapToInt(each -> each.inbound.size()).sum();
    }

    // Life

    void start() {
        KafkaReader opened = new KafkaReader(relay.vertx(), properties.consumer(topic.group()));
        reader = opened;
        asking = true;
        askedNanos = System.nanoTime();
        opened.onRevoked(
                revoked -> {
                    if (opened == reader) {
                        revoked.forEach(each -> partitions.remove(each.partition()));
                    }
                });
        opened.ask(to -> to.subscribe(Set.of(topic.name())))
                .onComplete(done -> goOn(opened), error -> failed(opened, error));
    }

    /**
     * Leaves the group, after it has been told of what the bus has taken; what it has not is left
     * to whoever reads next. This object is done then.
     */
    Future<Void> close() {
        KafkaReader open = reader;
        if (open == null) {
            return Future.succeededFuture();
        }
        reader = null;
        Promise<Void> answered = Promise.promise();
        allAnswered = answered;
        tellIfAnswered();
        relay.vertx().setTimer(LAST_WORD_MILLIS, timer -> answered.tryComplete());
        return answered.future().compose(done -> commit(open)).compose(done -> open.close());
    }

    private void tellIfAnswered() {
        Promise<Void> told = allAnswered;
        if (told != null
                && partitions.values().stream().noneMatch(each -> each.inbound.isOffering())) {
            told.tryComplete();
        }
    }

    /** Nothing more is read; what is here goes on to the bus. */
    void stop() {
        stopped = true;
    }

    void resume() {
        stopped = false;
    }

    // Rounds

    /** Another round, if there is none and the one before is with the bus, or cannot be. */
    private void next(KafkaReader from) {
        if (from != reader || asking || (size() > 0 && !full)) {
            return;
        }
        asking = true;
        askedNanos = System.nanoTime();
        boolean pause = stopped || size() > 0;
        full = size() > 0;
        Future<Void> ready = commit(from);
        if (pause || held) {
            ready = ready.compose(done -> hold(from, pause));
        }
        // What cannot be told from others of its name cannot be known again, so it is not read.
        ready.compose(done -> identified(from))
                .compose(done -> from.ask(to -> to.poll(ASK)))
                .onComplete(records -> taken(from, records), error -> failed(from, error));
    }

    /** How long the broker, or Kafka's client, has been silent beyond all patience. */
    long overdueNanos() {
        return asking ? System.nanoTime() - askedNanos - LONGEST_ROUND_NANOS : 0;
    }

    /** Pauses all partitions, new ones of the group too, or lets them go on. */
    private Future<Void> hold(KafkaReader from, boolean pause) {
        return from.ask(to -> to.assignment())
                .compose(mine -> from.ask(to -> pause ? to.pause(mine) : to.resume(mine)))
                .onSuccess(done -> held = pause);
    }

    private Future<?> identified(KafkaReader from) {
        if (topicId != null) {
            return Future.succeededFuture();
        }
        return identity.get()
                .onSuccess(id -> topicId = id)
                // Asking for a topic's partitions makes it, where the broker allows that.
                .onFailure(error -> from.ask(to -> to.partitionsFor(topic.name())));
    }

    private void taken(KafkaReader from, ConsumerRecords<byte[], byte[]> records) {
        String id = topicId;
        if (from != reader || id == null) {
            return;
        }
        asking = false;
        errorsInRow = 0;
        for (TopicPartition each : records.partitions()) {
            Partition partition =
                    partitions.computeIfAbsent(
                            each.partition(), number -> new Partition(number, id));
            for (ConsumerRecord<byte[], byte[]> record : records.records(each)) {
                partition.inbound.add(entries.of(record, partition.publisher));
            }
            pump(partition);
        }
        next(from);
    }

    /** Tells the group how far the bus has it. Where that fails, the next round tells it. */
    private Future<Void> commit(KafkaReader at) {
        Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
        for (Partition each : partitions.values()) {
            if (each.next >= 0) {
                done.put(
                        new TopicPartition(topic.name(), each.number),
                        new OffsetAndMetadata(each.next));
            }
        }
        if (done.isEmpty()) {
            return Future.succeededFuture();
        }
        return at.ask(to -> to.commit(done))
                .onSuccess(kept -> done.forEach(this::committed))
                .onFailure(
                        error -> {
                            relay.metrics().errors++;
                            warn("does not take how far it was read", error);
                        })
                .<Void>mapEmpty()
                .otherwiseEmpty();
    }

    private void committed(TopicPartition where, OffsetAndMetadata how) {
        Partition partition = partitions.get(where.partition());
        if (partition != null && partition.next == how.offset()) {
            partition.next = -1;
        }
    }

    private void failed(KafkaReader from, Throwable error) {
        if (from != reader) {
            return;
        }
        if (error instanceof InvalidOffsetException without) {
            topicId = null; // Perhaps another topic of the same name.
            without.partitions().forEach(each -> partitions.remove(each.partition()));
            KafkaBeginning.seek(from, without, topic.replayStart())
                    .onComplete(done -> goOn(from), worse -> again(from, worse));
            return;
        }
        if (error instanceof AuthenticationException) {
            broken.accept(String.valueOf(error.getMessage()));
            return;
        }
        again(from, error);
    }

    private void again(KafkaReader from, Throwable error) {
        relay.metrics().errors++;
        if (errorsInRow++ == 0) {
            warn("cannot be read", error);
        }
        long wait = Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS << Math.min(errorsInRow, 10));
        relay.vertx().setTimer(wait, timer -> goOn(from));
    }

    private void goOn(KafkaReader from) {
        if (from == reader) {
            asking = false;
            next(from);
        }
    }

    private void warn(String what, Throwable error) {
        log.warn(
                "Relay {}: topic {} {}: {}",
                relay.config().name(),
                topic.name(),
                what,
                String.valueOf(error.getMessage()));
    }

    // Messages

    private void pump(Partition partition) {
        Inbound inbound = partition.inbound;
        boolean mine = partitions.get(partition.number) == partition;
        if (!mine || reader == null || inbound.isOffering() || inbound.size() == 0) {
            return;
        }
        List<Envelope> messages = inbound.offer(relay.config().batchSize());
        if (messages.isEmpty()) {
            answered(partition, new Frame.Published(0, 0, List.of()));
            return;
        }
        relay.bus()
                .publish(route.namespace(), messages, relay.routeName(topic.name()), inbound.dead())
                .onComplete(
                        published -> answered(partition, published),
                        error -> {
                            inbound.unanswered();
                            tellIfAnswered();
                            pause(partition);
                        });
    }

    private void answered(Partition partition, Frame.Published published) {
        if (partitions.get(partition.number) != partition) {
            return; // Others have it now.
        }
        Inbound.Outcome outcome = partition.inbound.answered(published);
        relay.metrics().received += outcome.taken();
        relay.metrics().duplicates += outcome.duplicates();
        relay.metrics().invalid += outcome.buried();
        if (!outcome.done().isEmpty()) {
            partition.next = Long.parseLong(outcome.done().getLast()) + 1;
        }
        tellIfAnswered();
        if (outcome.refused() != null) {
            pause(partition);
            return;
        }
        partition.pauseMillis = FIRST_PAUSE_MILLIS;
        pump(partition);
        KafkaReader from = reader;
        if (from != null) {
            next(from);
        }
    }

    /** The bus has no room: the broker keeps what we do not take. */
    private void pause(Partition partition) {
        long wait = partition.pauseMillis;
        partition.pauseMillis = Math.min(LONGEST_PAUSE_MILLIS, 2 * wait);
        relay.vertx().setTimer(wait, timer -> pump(partition));
        KafkaReader from = reader;
        if (from != null && partitions.get(partition.number) == partition) {
            full = true;
            next(from);
        }
    }
}
