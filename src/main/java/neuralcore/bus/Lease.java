package neuralcore.bus;

/** A delivery that is to be settled; when its time is up it counts as failed. */
final class Lease extends Timers.Timer {
    final QueuedMessage message;
    final Lane lane;
    final Subscription holder;

    /** From 1. */
    final int attempt;

    private final Settlements settlements;

    Lease(
            QueuedMessage message,
            Lane lane,
            Subscription holder,
            int attempt,
            Settlements settlements) {
        this.message = message;
        this.lane = lane;
        this.holder = holder;
        this.attempt = attempt;
        this.settlements = settlements;
    }

    @Override
    void fire(long nowMillis, Effects effects) {
        settlements.ranOut(this, nowMillis, effects);
    }
}
