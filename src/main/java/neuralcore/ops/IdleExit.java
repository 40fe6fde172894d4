package neuralcore.ops;

import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.function.Consumer;
import neuralcore.eventbus.Addresses;

/**
 * Ends a daemon that nobody has been connected to for a while. The bridges tell of each connection
 * that begins or ends; so this must listen before the door opens. Thread-safe.
 */
final class IdleExit {
    private static final long NONE = -1;

    private final Vertx vertx;
    private final Duration patience;
    private final Consumer<String> onIdle;
    private int connections;
    private long timer = NONE;

    private IdleExit(Vertx vertx, Duration patience, Consumer<String> onIdle) {
        this.vertx = vertx;
        this.patience = patience;
        this.onIdle = onIdle;
    }

    static void start(Vertx vertx, Duration patience, Consumer<String> onIdle) {
        IdleExit exit = new IdleExit(vertx, patience, onIdle);
        vertx.eventBus()
                .<Integer>localConsumer(
                        Addresses.CONNECTIONS, message -> exit.change(message.body()));
        exit.change(0);
    }

    private synchronized void change(int difference) {
        connections += difference;
        if (timer != NONE) {
            vertx.cancelTimer(timer);
            timer = NONE;
        }
        if (connections <= 0) {
            timer = vertx.setTimer(patience.toMillis(), this::end);
        }
    }

    /** A client may have come while the timer was on its way here. */
    private void end(long fired) {
        synchronized (this) {
            if (fired != timer) {
                return;
            }
        }
        onIdle.accept("no client for " + patience.toSeconds() + " s");
    }
}
