package neuralcore.bus;

import java.util.ArrayDeque;
import java.util.Deque;
import neuralcore.wire.Delivery;

/**
 * What a group has handed to one of its members in this step, on its way into the member's
 * deliveries.
 */
final class HandedOut extends Source {
    private record Handed(QueuedMessage message, long priority, Delivery delivery) {}

    private final Deque<Handed> waiting = new ArrayDeque<>();

    HandedOut(long ordinal) {
        super(ordinal);
    }

    void add(QueuedMessage message, long priority, Delivery delivery) {
        waiting.add(new Handed(message, priority, delivery));
    }

    @Override
    boolean prepare(long nowMillis) {
        Handed next = waiting.peek();
        head = next == null ? null : next.message;
        headPriority = next == null ? 0 : next.priority;
        headSequence = next == null ? 0 : next.message.sequence;
        return next != null;
    }

    @Override
    boolean mayStill(long nowMillis) {
        return true;
    }

    @Override
    boolean needsRoom() {
        return false; // Its group has asked.
    }

    @Override
    Delivery deliver(long nowMillis) {
        return waiting.remove().delivery;
    }
}
