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

    private final String namespace;

    /** Shared with the connection's subscribers in other namespaces. */
    private final Window window;

    /** Those that may have something to deliver at the end of this step, or when there is room. */
    private final List<Source> ready = new ArrayList<>();

    /** Members of groups that were passed over because there is no room. */
    private final List<Subscription> passedOver = new ArrayList<>();

    /** Whether it stands in the window's line. */
    private boolean stuck;

    Subscriber(String connection, String namespace, Window window) {
        this.connection = connection;
        this.namespace = namespace;
        this.window = window;
    }

    Window window() {
        return window;
    }

    /** Notes that a source may have something to deliver; true if it is the first. */
    boolean becameReady(Source source) {
        if (source.ready) {
            return false;
        }
        source.ready = true;
        ready.add(source);
        return ready.size() == 1 && !stuck;
    }

    /** Notes a member that its group would have served if there were room. */
    void passOver(Subscription member) {
        passedOver.add(member);
        lineUp();
    }

    private void lineUp() {
        stuck = true;
        window.lineUp(namespace);
    }

    /** Goes on if it had to wait for room that there is now. */
    void goOn(Dispatcher dispatcher) {
        if (!stuck || window.isSpent()) {
            return;
        }
        stuck = false;
        if (!ready.isEmpty()) {
            dispatcher.touch(this);
        }
        for (Subscription member : passedOver) {
            member.receiver.mayTake(member);
            member.receiver.somethingMayGo();
        }
        passedOver.clear();
    }

    /**
     * Delivers all that credit and window allow, each time the most urgent and then the oldest
     * message of all subscriptions.
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
            if (isHeldUp(next)) {
                becameReady(next);
                continue;
            }
            Source rival = picks.peek();
            boolean more;
            do {
                effects.deliver(connection, next.deliver(nowMillis));
                more = next.prepare(nowMillis);
            } while (more && !isHeldUp(next) && (rival == null || Source.isBefore(next, rival)));
            if (more) {
                picks.add(next);
            }
        }
        if (!ready.isEmpty()) {
            lineUp();
        }
    }

    private boolean isHeldUp(Source source) {
        return window.isSpent() && source.needsRoom();
    }
}
