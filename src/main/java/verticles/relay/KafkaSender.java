package verticles.relay;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.WorkerExecutor;
import io.vertx.kafka.client.producer.KafkaWriteStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import neuralcore.relay.KafkaProperties;
import neuralcore.relay.PartitionKey;
import neuralcore.relay.Target;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordBatchTooLargeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.jspecify.annotations.Nullable;

/**
 * Kafka, as one route writes to it: a producer of its own, on a thread of its own, for asking it to
 * send may block. A batch is one task there and one answer here; Vert.x's own call makes both for
 * each message.
 *
 * <p>The producer keeps order and lets no retry write twice (idempotence). Where it has failed for
 * good, the next batch gets a new one. Belongs to the relay's event loop.
 */
final class KafkaSender implements Sender {
    /** Header with the message's id, by which copies are known. */
    static final String ID = "id";

    /** Header with the nodes that the message has passed, with commas between. */
    static final String HOPS = "relay_hops";

    private final RelayContext relay;
    private final KafkaProperties properties;
    private final boolean durable;
    private final Context context;
    private final WorkerExecutor worker;
    private final Header alone;
    private volatile @Nullable Producer<byte[], byte[]> producer;

    /** Whether the producer is of no use any more. */
    private volatile boolean broken;

    private volatile boolean closed;

    /**
     * @param name of the thread
     * @param durable whether what it is given is to be sent for as long as it takes
     */
    KafkaSender(RelayContext relay, KafkaProperties properties, String name, boolean durable) {
        this.relay = relay;
        this.properties = properties;
        this.durable = durable;
        this.context = relay.vertx().getOrCreateContext();
        this.worker = relay.vertx().createSharedWorkerExecutor(name, 1);
        this.alone = hops(relay.node());
    }

    /** Has everything ready for the first message to a topic. */
    void prepare(String topic) {
        worker.executeBlocking(() -> opened().partitionsFor(topic));
    }

    @Override
    public Future<Map<Integer, String>> send(List<Item> items, Target target) {
        if (!(target instanceof Target.Topic topic)) {
            throw new IllegalStateException(target + " is not to be sent to");
        }
        Outcome outcome = new Outcome(items.size());
        worker.executeBlocking(
                () -> {
                    produce(items, topic.key(), outcome);
                    return null;
                });
        return outcome.promise.future();
    }

    private void produce(List<Item> items, PartitionKey key, Outcome outcome) {
        int begun = 0;
        try {
            Producer<byte[], byte[]> to = opened();
            // After an error nothing more of the batch is sent, or it would overtake.
            while (begun < items.size() && outcome.error == null) {
                Item item = items.get(begun);
                to.send(
                        new ProducerRecord<>(
                                item.target(),
                                null,
                                key.of(item.message()),
                                item.data(),
                                headers(item)),
                        outcome.of(begun));
                begun++;
            }
        } catch (RuntimeException | LinkageError e) {
            // No callback is called for this one. A codec of Kafka's may lack its native library.
            outcome.failed(begun, e);
        }
        outcome.done(items.size() - begun);
    }

    private List<Header> headers(Item item) {
        List<String> hops = relay.codec().hops(item.message());
        return List.of(
                new RecordHeader(ID, item.message().idBytes()),
                hops.size() == 1 ? alone : hops(String.join(",", hops)));
    }

    private static Header hops(String nodes) {
        return new RecordHeader(HOPS, nodes.getBytes(StandardCharsets.UTF_8));
    }

    private Producer<byte[], byte[]> opened() {
        if (broken) {
            broken = false;
            discard();
        }
        if (producer == null && !closed) {
            producer =
                    KafkaWriteStream.create(
                                    relay.vertx(),
                                    properties.producer(durable),
                                    byte[].class,
                                    byte[].class)
                            .unwrap();
        }
        Producer<byte[], byte[]> open = producer;
        // Asked last: closing, on another thread, ends only a producer that is there by then.
        if (closed || open == null) {
            discard();
            throw new KafkaException("the relay is switched off");
        }
        return open;
    }

    @Override
    public boolean isLoss(Throwable error) {
        return false; // The producer connects again by itself; what it gives up is an error.
    }

    /** Gives up what is under way. */
    void close() {
        closed = true;
        relay.vertx()
                .executeBlocking(
                        () -> {
                            discard();
                            return null;
                        },
                        false)
                .onComplete(done -> worker.close());
    }

    private void discard() {
        Producer<byte[], byte[]> open = producer;
        producer = null;
        if (open != null) {
            open.close(Duration.ZERO);
        }
    }

    /** What becomes of one batch; told by the producer's own thread, message by message. */
    private final class Outcome {
        final Promise<Map<Integer, String>> promise = Promise.promise();
        final AtomicInteger left;
        final Map<Integer, String> refused = new ConcurrentHashMap<>();
        volatile @Nullable Throwable error;

        Outcome(int messages) {
            left = new AtomicInteger(messages);
        }

        Callback of(int index) {
            return (metadata, e) -> {
                if (e != null) {
                    failed(index, e);
                }
                done(1);
            };
        }

        void failed(int index, Throwable e) {
            if (isOfTheMessage(e)) {
                refused.put(index, String.valueOf(e.getMessage()));
                return;
            }
            error = e;
            broken |= !(e instanceof RetriableException);
        }

        void done(int messages) {
            if (messages > 0 && left.addAndGet(-messages) == 0) {
                context.runOnContext(
                        back -> {
                            Throwable failure = error;
                            if (failure == null) {
                                promise.complete(refused);
                            } else {
                                promise.fail(failure);
                            }
                        });
            }
        }
    }

    /** Whether another attempt would fail the same. */
    private static boolean isOfTheMessage(Throwable e) {
        return e instanceof RecordTooLargeException
                || e instanceof RecordBatchTooLargeException
                || e instanceof InvalidRecordException
                || e instanceof InvalidTopicException
                || e instanceof SerializationException;
    }
}
