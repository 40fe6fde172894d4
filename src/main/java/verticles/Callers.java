package verticles;

import io.vertx.core.Vertx;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import neuralcore.eventbus.Addresses;

/**
 * Whom long requests are worked for, so that the work can end with the caller's patience or
 * connection. Thread-safe; asking whether a caller has gone costs a read of the clock.
 */
final class Callers {

    /** Who waits for one request. */
    final class Caller {
        private final String connection;
        private final long deadlineNanos;
        private volatile boolean disconnected;

        private Caller(String connection, long deadlineNanos) {
            this.connection = connection;
            this.deadlineNanos = deadlineNanos;
        }

        boolean isGone() {
            return disconnected || System.nanoTime() - deadlineNanos > 0;
        }

        /** To be called once, when the request has been answered, however. */
        void served() {
            waiting.computeIfPresent(
                    connection,
                    (id, callers) -> {
                        callers.remove(this);
                        return callers.isEmpty() ? null : callers;
                    });
        }
    }

    private final Map<String, Set<Caller>> waiting = new ConcurrentHashMap<>();

    private Callers() {}

    static Callers of(Vertx vertx) {
        Callers callers = new Callers();
        vertx.eventBus()
                .<String>consumer(
                        Addresses.CONNECTION_CLOSED, message -> callers.leave(message.body()));
        return callers;
    }

    /**
     * Somebody to work for.
     *
     * @param connection empty for the daemon itself
     * @param deadlineNanos by {@link System#nanoTime}
     */
    Caller of(String connection, long deadlineNanos) {
        Caller caller = new Caller(connection, deadlineNanos);
        if (!connection.isEmpty()) {
            waiting.compute(
                    connection,
                    (id, callers) -> {
                        Set<Caller> all = callers == null ? ConcurrentHashMap.newKeySet() : callers;
                        all.add(caller);
                        return all;
                    });
        }
        return caller;
    }

    private void leave(String connection) {
        Set<Caller> callers = waiting.get(connection);
        if (callers != null) {
            callers.forEach(caller -> caller.disconnected = true);
        }
    }
}
