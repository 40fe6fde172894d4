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
    private final List<Source> ready = new ArrayList<>();

    Subscriber(String connection) {
        this.connection = connection;
    }

    /** Notes that a source may have something to deliver; true if it is the first. */
    boolean becameReady(Source source) {
        if (source.ready) {
            return false;
        }
        source.ready = true;
        ready.add(source);
        return ready.size() == 1;
    }

    /**
     * Delivers all that credit allows, each time the most urgent and then the oldest message of all
     * subscriptions.
     *
     * @param picks empty scratch space
     */
    void flush(long nowMillis, Effects effects, PriorityQueue<Source> picks) {
        for (Source source : ready) {
            source.ready = false;
            if (source.prepare(nowMillis)) {
                picks.add(source);
            }
        }
        ready.clear();
        for (Source next = picks.poll(); next != null; next = picks.poll()) {
            if (!next.mayStill(nowMillis)) {
                continue;
            }
            Source rival = picks.peek();
            boolean more;
            do {
                effects.deliver(connection, next.deliver(nowMillis));
                more = next.prepare(nowMillis);
            } while (more && (rival == null || Source.isBefore(next, rival)));
            if (more) {
                picks.add(next);
            }
        }
    }
}
