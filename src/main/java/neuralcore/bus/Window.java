package neuralcore.bus;

import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How many bytes may be under way to one connection, whatever its subscriptions have credit for:
 * what HTTP/2 has beside the windows of its streams (RFC 9113, section 5.2). Credit counts
 * messages, so without it many subscriptions, or large messages, could be owed more at once than a
 * connection's buffers may hold.
 *
 * <p>A message goes as long as less than the window is under way, so that one larger than the
 * window goes too: there is never more under way than the window and one message. Namespaces that
 * find it spent line up, and go on in that order.
 */
final class Window {
    private final Set<String> line = new LinkedHashSet<>();
    private long size = BusEvent.Subscribe.UNBOUNDED;
    private long underWay;

    void resize(long bytes) {
        size = bytes;
    }

    boolean isSpent() {
        return underWay >= size;
    }

    void take(long bytes) {
        underWay += bytes;
    }

    /** So much has reached the network, or will not. */
    void giveBack(long bytes) {
        // What was under way before the connection's last subscription ended is not known any more.
        underWay = Math.max(0, underWay - bytes);
    }

    /** A namespace has something that must wait for room. */
    void lineUp(String namespace) {
        line.add(namespace);
    }

    /** The next namespace that may go on, which leaves the line; null if there is none. */
    @Nullable String next() {
        Iterator<String> first = line.iterator();
        if (isSpent() || !first.hasNext()) {
            return null;
        }
        String namespace = first.next();
        first.remove();
        return namespace;
    }
}
