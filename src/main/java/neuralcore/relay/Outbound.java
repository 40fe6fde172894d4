package neuralcore.relay;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import neuralcore.wire.Delivery;
import org.jspecify.annotations.Nullable;

/**
 * One outgoing route's messages between the bus and the broker: which go next, and what becomes of
 * those that were sent.
 *
 * <p>A durable route has one batch under way at a time, and sends it again until it is answered: so
 * no later message can be in the broker before an earlier one. A volatile one has several, and
 * gives up those that were under way when the connection broke. What the bus may hand over is
 * bounded by the credit that its owner grants, so this holds no more than one window.
 *
 * <p>Not thread-safe. O(1) a message.
 */
public final class Outbound {
    static final int VOLATILE_DEPTH = 4;

    /** Messages sent together. */
    public static final class Batch {
        private final List<Delivery> deliveries;
        private final long sentNanos;

        private Batch(List<Delivery> deliveries, long sentNanos) {
            this.deliveries = deliveries;
            this.sentNanos = sentNanos;
        }

        public List<Delivery> deliveries() {
            return deliveries;
        }

        public long sentNanos() {
            return sentNanos;
        }
    }

    private final boolean durable;
    private final int batchSize;
    private final Deque<Delivery> waiting = new ArrayDeque<>();
    private final Deque<Batch> underWay = new ArrayDeque<>();

    public Outbound(boolean durable, int batchSize) {
        this.durable = durable;
        this.batchSize = batchSize;
    }

    public boolean isDurable() {
        return durable;
    }

    public void offer(List<Delivery> deliveries) {
        waiting.addAll(deliveries);
    }

    /**
     * The next batch, taken to be sent now; null if there is nothing, or nothing may be sent before
     * an answer comes.
     *
     * @param patient whether to wait for a full batch as long as an earlier one is unanswered
     */
    public @Nullable Batch next(boolean patient, long nowNanos) {
        if (waiting.isEmpty() || underWay.size() >= (durable ? 1 : VOLATILE_DEPTH)) {
            return null;
        }
        if (patient && !underWay.isEmpty() && waiting.size() < batchSize) {
            return null;
        }
        int size = Math.min(batchSize, waiting.size());
        List<Delivery> deliveries = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
            deliveries.add(waiting.remove());
        }
        Batch batch = new Batch(deliveries, nowNanos);
        underWay.add(batch);
        return batch;
    }

    /** The broker has a batch; false if it was given up before. */
    public boolean answered(Batch batch) {
        return underWay.remove(batch);
    }

    /**
     * The broker does not have a batch, or nobody knows.
     *
     * @return the messages that are given up; those of a durable route go back to the front
     */
    public List<Delivery> failed(Batch batch) {
        if (!underWay.remove(batch)) {
            return List.of();
        }
        if (!durable) {
            return batch.deliveries;
        }
        putBack(batch);
        return List.of();
    }

    /** The connection is gone, and with it all that was under way; as {@link #failed}. */
    public List<Delivery> lost() {
        List<Delivery> given = new ArrayList<>();
        while (!underWay.isEmpty()) {
            Batch last = underWay.removeLast();
            if (durable) {
                putBack(last);
            } else {
                given.addAll(last.deliveries);
            }
        }
        return given;
    }

    private void putBack(Batch batch) {
        for (int i = batch.deliveries.size() - 1; i >= 0; i--) {
            waiting.addFirst(batch.deliveries.get(i));
        }
    }

    /** Messages here, sent or not. */
    public int size() {
        int size = waiting.size();
        for (Batch batch : underWay) {
            size += batch.deliveries.size();
        }
        return size;
    }

    public boolean hasWaiting() {
        return !waiting.isEmpty();
    }
}
