package neuralcore.vectors.simd;

import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;

/**
 * Runs work and rests in between, for what is to be done some time soon and must not be in the way.
 * Not thread-safe.
 */
final class Pace {
    /** A rest of less than that is mostly waking up. */
    static final long STINT_NANOS = 1_000_000;

    /** Rests are so many times as long as the work before them. */
    static final int REST = 3;

    /** Work that was interrupted for long is not followed by a rest as long. */
    static final long MOST_NANOS_REST = 20_000_000;

    private final LongSupplier clock;
    private final LongConsumer rest;
    private long worked;
    private long sinceRest;

    Pace() {
        this(System::nanoTime, LockSupport::parkNanos);
    }

    Pace(LongSupplier clock, LongConsumer rest) {
        this.clock = clock;
        this.rest = rest;
    }

    /** Runs a piece of work, and rests if it is time to; returns the nanoseconds worked. */
    long run(Runnable work) {
        long began = clock.getAsLong();
        work.run();
        long took = clock.getAsLong() - began;
        worked += took;
        sinceRest += took;
        if (sinceRest >= STINT_NANOS) {
            rest.accept(Math.min(sinceRest * REST, MOST_NANOS_REST));
            sinceRest = 0;
        }
        return took;
    }

    /** Nanoseconds worked, rests left out. */
    long worked() {
        return worked;
    }
}
