package neuralcore.eventbus;

import io.vertx.core.Vertx;
import io.vertx.core.shareddata.Shareable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import org.jspecify.annotations.Nullable;

/**
 * What publishers wait to hear of brokers: who has published with {@link Frame.Confirm#RELAYED} is
 * told once the broker of every relay that takes the message out of its channel has it.
 *
 * <p>One for the node, known to the bus and to its relays, whatever their broker. Thread-safe.
 * While nobody waits it costs a relay one look a batch.
 */
public final class Receipts implements Shareable {
    private static final String NAME = "neuralcore.receipts";
    private static final long STANDARD_PATIENCE_MILLIS = 30_000;

    /** How messages leave the bus: an outgoing route of a relay, while that is on. */
    public interface Way {
        boolean takes(String namespace, Envelope message);

        /** Whether what it has not sent yet is kept on the disk. */
        boolean isDurable();
    }

    private record Id(long publisher, long sequence) {
        static Id of(Envelope message) {
            return new Id(message.publisher(), message.sequence());
        }
    }

    private final Set<Way> ways = ConcurrentHashMap.newKeySet();
    private final Map<Id, Batch> expected = new ConcurrentHashMap<>();
    private volatile long patienceMillis = STANDARD_PATIENCE_MILLIS;

    private Receipts() {}

    /** Those of this node. */
    public static Receipts of(Vertx vertx) {
        return vertx.sharedData()
                .<String, Receipts>getLocalMap(NAME)
                .computeIfAbsent(NAME, name -> new Receipts());
    }

    /** How long publishers wait for brokers. */
    public void patience(long millis) {
        patienceMillis = millis;
    }

    // The relays' side

    public void open(Way way) {
        ways.add(way);
    }

    public void close(Way way) {
        ways.remove(way);
    }

    /** The broker has these messages. */
    public void relayed(Way way, List<Delivery> deliveries) {
        settle(way, deliveries, true);
    }

    /** The broker will not get these messages, or nobody knows whether it has. */
    public void failed(Way way, List<Delivery> deliveries) {
        settle(way, deliveries, false);
    }

    private void settle(Way way, List<Delivery> deliveries, boolean relayed) {
        if (expected.isEmpty()) {
            return;
        }
        for (Delivery delivery : deliveries) {
            Id id = Id.of(delivery.envelope());
            Batch batch = expected.get(id);
            if (batch != null) {
                batch.settle(id, way, relayed);
            }
        }
    }

    // The bus's side

    /**
     * Begins to wait for messages. They are to be queued after this, and {@link Batch#queued} told.
     *
     * @param answer gets what became of them, once, on any thread
     */
    public Batch expect(Vertx vertx, Frame.Publish publish, Consumer<Frame.Published> answer) {
        return new Batch(vertx, publish, answer);
    }

    /** Messages that were published together and are answered together. */
    public final class Batch {
        private final Frame.Publish toQueue;
        private final int messages;
        private final Consumer<Frame.Published> answer;
        private final Map<Id, Set<Way>> open = new HashMap<>();
        private final Set<Long> known = new HashSet<>();
        private final List<Frame.Rejection> rejections = new ArrayList<>();
        private final Vertx vertx;
        private final long timer;
        private boolean queued;
        private boolean answered;

        private Batch(Vertx vertx, Frame.Publish publish, Consumer<Frame.Published> answer) {
            this.vertx = vertx;
            this.answer = answer;
            this.messages = publish.messages().size();
            List<Envelope> taken = new ArrayList<>();
            for (Envelope message : publish.messages()) {
                Set<Way> through = new HashSet<>();
                for (Way way : ways) {
                    if (way.takes(publish.namespace(), message)) {
                        through.add(way);
                    }
                }
                if (through.isEmpty()) {
                    rejections.add(new Frame.Rejection(message.sequence(), ErrorCode.NO_RELAY));
                    continue;
                }
                taken.add(message);
                Id id = Id.of(message);
                open.put(id, through);
                if (expected.put(id, this) != null) {
                    known.add(message.sequence());
                }
            }
            this.toQueue =
                    new Frame.Publish(
                            publish.batch(), Frame.Confirm.DURABLE, publish.namespace(), taken);
            this.timer = vertx.setTimer(patienceMillis, fired -> timedOut());
        }

        /** Those that a relay will take; the others are refused already. */
        public Frame.Publish toQueue() {
            return toQueue;
        }

        /** The bus has answered: for what it does not queue no receipt will come. */
        public void queued(Frame.Published published) {
            Frame.Published finished;
            synchronized (this) {
                queued = true;
                Map<Long, Id> ids = new HashMap<>();
                open.keySet().forEach(id -> ids.put(id.sequence(), id));
                for (Frame.Rejection rejection : published.rejections()) {
                    Id id = ids.get(rejection.sequence());
                    boolean again = rejection.code() == ErrorCode.DUPLICATE;
                    if (id == null || again && known.contains(id.sequence())) {
                        continue; // Its receipt has come, or comes here instead of to an older one.
                    }
                    // Of what came long ago nobody knows any more what its broker said.
                    rejections.add(
                            again
                                    ? new Frame.Rejection(id.sequence(), ErrorCode.RELAY_TIMEOUT)
                                    : rejection);
                    drop(id);
                }
                finished = finished();
            }
            tell(finished);
        }

        private void settle(Id id, Way by, boolean relayed) {
            Frame.Published finished;
            synchronized (this) {
                Set<Way> through = open.get(id);
                if (through == null || !through.remove(by)) {
                    return;
                }
                if (!relayed) {
                    rejections.add(new Frame.Rejection(id.sequence(), ErrorCode.RELAY_FAILED));
                } else if (!through.isEmpty()) {
                    return;
                }
                drop(id);
                finished = finished();
            }
            tell(finished);
        }

        private void timedOut() {
            Frame.Published finished;
            synchronized (this) {
                queued = true;
                for (Map.Entry<Id, Set<Way>> each : Map.copyOf(open).entrySet()) {
                    boolean kept = each.getValue().stream().allMatch(Way::isDurable);
                    ErrorCode code = kept ? ErrorCode.RELAY_PENDING : ErrorCode.RELAY_TIMEOUT;
                    rejections.add(new Frame.Rejection(each.getKey().sequence(), code));
                    drop(each.getKey());
                }
                finished = finished();
            }
            tell(finished);
        }

        private void drop(Id id) {
            open.remove(id);
            expected.remove(id, this);
        }

        /** What to answer; null if it is not time yet, or has been done. */
        private Frame.@Nullable Published finished() {
            if (answered || !queued || !open.isEmpty()) {
                return null;
            }
            answered = true;
            int accepted = messages - rejections.size();
            return new Frame.Published(toQueue.batch(), accepted, List.copyOf(rejections));
        }

        private void tell(Frame.@Nullable Published finished) {
            if (finished != null) {
                vertx.cancelTimer(timer);
                answer.accept(finished);
            }
        }
    }
}
