package verticles;

import io.vertx.core.Vertx;
import java.util.function.LongSupplier;

/**
 * Wakes the bus for what is due sooner than its next regular tick, to the millisecond. Belongs to
 * one event loop.
 */
final class Alarm {
    private final Vertx vertx;
    private final LongSupplier quietMillis;
    private final long horizonMillis;
    private final Runnable ring;
    private long timer = -1;
    private long atNanos;

    /**
     * @param quietMillis how long nothing is due
     * @param horizonMillis what is further away than this will be asked for again in time
     */
    Alarm(Vertx vertx, LongSupplier quietMillis, long horizonMillis, Runnable ring) {
        this.vertx = vertx;
        this.quietMillis = quietMillis;
        this.horizonMillis = horizonMillis;
        this.ring = ring;
    }

    /** To be called after whatever may have changed what is due. */
    void set() {
        long quiet = quietMillis.getAsLong();
        if (quiet >= horizonMillis) {
            return;
        }
        long millis = Math.max(1, quiet);
        long nanos = System.nanoTime() + millis * 1_000_000;
        if (timer >= 0) {
            if (atNanos <= nanos) {
                return;
            }
            vertx.cancelTimer(timer);
        }
        atNanos = nanos;
        timer =
                vertx.setTimer(
                        millis,
                        unused -> {
                            timer = -1;
                            ring.run();
                            set();
                        });
    }
}
