package neuralcore.vectors;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * Lets searches go before what is done in the background: on a machine with few cores, a graph that
 * is being built would otherwise take half of every search's time.
 *
 * <p>Thread-safe. A search pays for two atomic additions and a look at the clock.
 */
final class RightOfWay {
    /**
     * What one step of the background waits at most. A step, a row that enters a graph, takes about
     * half a millisecond: under searches without a pause, a graph grows at a fifth of its speed.
     */
    private static final long LONGEST_WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

    /** Who searches once often searches again, and would find the processors taken. */
    private static final long QUIET_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private static final long LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

    private final long longestWaitNanos;
    private final AtomicInteger searches = new AtomicInteger();
    private volatile long ended = System.nanoTime() - QUIET_NANOS;

    RightOfWay() {
        this(LONGEST_WAIT_NANOS);
    }

    RightOfWay(long longestWaitNanos) {
        this.longestWaitNanos = longestWaitNanos;
    }

    /** Does what somebody waits for. */
    <T> T first(Supplier<T> search) {
        searches.incrementAndGet();
        try {
            return search.get();
        } finally {
            ended = System.nanoTime();
            searches.decrementAndGet();
        }
    }

    /** Before a step of what nobody waits for: returns when no search is under way, or soon. */
    void giveWay() {
        long began = System.nanoTime();
        long now = began;
        while ((searches.get() > 0 || now - ended < QUIET_NANOS)
                && now - began < longestWaitNanos
                && !Thread.currentThread().isInterrupted()) {
            LockSupport.parkNanos(LOOK_NANOS);
            now = System.nanoTime();
        }
    }
}
