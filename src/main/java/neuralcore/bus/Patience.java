package neuralcore.bus;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Messages that came to a full lane whose channel says {@code block}: they wait in the lane like
 * the others, as many again as the channel's size, for as long as it allows. If more waits then
 * than there are places for, they are given up. Nobody else waits meanwhile, so a handler that
 * publishes cannot lock itself out. Room 0 is told to clients once the places to wait are taken,
 * too: told before, a publisher that minds it would never have a message wait.
 */
final class Patience extends Timers.Timer {
    private record Parked(QueuedMessage message, long untilMillis) {}

    private final Lane lane;
    private final Deque<Parked> parked = new ArrayDeque<>();

    Patience(Lane lane) {
        this.lane = lane;
    }

    void park(QueuedMessage message, long nowMillis) {
        if (parked.size() > 4L * lane.channel.config().maxQueueSize()) {
            // Most of these have gone by meanwhile, more urgent ones than the lane is full of.
            parked.removeIf(one -> !lane.holds(one.message));
        }
        parked.add(new Parked(message, nowMillis + lane.channel.config().blockTimeoutMillis()));
        if (!isSet()) {
            lane.receiver.timers().set(this, parked.getFirst().untilMillis);
        }
    }

    /** All that waits has a place. */
    void roomAgain() {
        parked.clear();
        lane.receiver.timers().cancel(this);
    }

    /** Gives up those of one moment, so that what else falls due keeps its turn. */
    @Override
    void fire(long nowMillis, Effects effects) {
        long moment = parked.isEmpty() ? nowMillis : parked.getFirst().untilMillis;
        while (moment <= nowMillis
                && lane.isOver()
                && !parked.isEmpty()
                && parked.getFirst().untilMillis == moment) {
            QueuedMessage message = parked.removeFirst().message;
            if (lane.giveUp(message) && message.lost()) {
                message.tellEvicted(effects);
            }
        }
        if (!lane.isOver()) {
            roomAgain();
        } else if (!parked.isEmpty()) {
            lane.receiver.timers().set(this, parked.getFirst().untilMillis);
        }
    }
}
