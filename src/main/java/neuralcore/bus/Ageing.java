package neuralcore.bus;

/**
 * Waiting makes a message more urgent, by one priority for each step of time, so that nothing waits
 * for ever behind what is more urgent and keeps coming. Only the first of each priority competes:
 * among equals the number decides.
 */
final class Ageing {
    private Ageing() {}

    static long priority(QueuedMessage message, long stepMillis, long nowMillis) {
        long steps = (nowMillis - message.arrivedMillis) / stepMillis;
        long priority = message.envelope.priority();
        return priority < Long.MIN_VALUE + steps ? Long.MIN_VALUE : priority - steps;
    }
}
