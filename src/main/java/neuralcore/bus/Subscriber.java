package neuralcore.bus;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;

/** A connection that subscribes in one namespace: its subscriptions, served as one. */
final class Subscriber {
    final String connection;
    final Map<Integer, Subscription> subscriptions = new LinkedHashMap<>();

    /** Those that may have something to deliver at the end of this step. */
    private final List<Subscription> ready = new ArrayList<>();

    Subscriber(String connection) {
        this.connection = connection;
    }

    /** Notes that a subscription may have something to deliver; true if it is the first. */
    boolean becameReady(Subscription subscription) {
        if (subscription.ready || !subscription.mayDeliver()) {
            return false;
        }
        subscription.ready = true;
        ready.add(subscription);
        return ready.size() == 1;
    }

    /**
     * Delivers all that credit allows, each time the most urgent and then the oldest message of all
     * subscriptions.
     *
     * @param picks empty scratch space
     */
    void flush(long nowMillis, Effects effects, PriorityQueue<Subscription> picks) {
        for (Subscription subscription : ready) {
            subscription.ready = false;
            if (subscription.prepare(nowMillis)) {
                picks.add(subscription);
            }
        }
        ready.clear();
        for (Subscription next = picks.poll(); next != null; next = picks.poll()) {
            Subscription rival = picks.peek();
            boolean more;
            do {
                effects.deliver(connection, next.deliver());
                more = next.prepare(nowMillis);
            } while (more && (rival == null || Subscription.isBefore(next, rival)));
            if (more) {
                picks.add(next);
            }
        }
    }
}
