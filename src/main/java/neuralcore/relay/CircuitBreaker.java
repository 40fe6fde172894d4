package neuralcore.relay;

/**
 * Stops sending to a broker that answers with errors: after some in a row nothing is sent for a
 * time, which doubles each time that the one batch let through then fails as well.
 *
 * <p>For a broker that is there and refuses (out of memory, loading its data, read-only); one that
 * is not there is the business of {@link Link}. Not thread-safe.
 */
public final class CircuitBreaker {
    private final int threshold;
    private final long firstMillis;
    private final long mostMillis;
    private int failures;
    private int openings;
    private boolean open;
    private boolean probing;
    private long openUntil;

    /**
     * @param threshold failures in a row that open it
     * @param firstMillis how long it stays open the first time
     * @param mostMillis how long at most
     */
    public CircuitBreaker(int threshold, long firstMillis, long mostMillis) {
        this.threshold = threshold;
        this.firstMillis = firstMillis;
        this.mostMillis = mostMillis;
    }

    /** Whether something may be sent now; while half open, one at a time. */
    public boolean allows(long nowMillis) {
        if (!open) {
            return true;
        }
        if (nowMillis < openUntil || probing) {
            return false;
        }
        probing = true;
        return true;
    }

    public void succeeded() {
        open = false;
        probing = false;
        failures = 0;
        openings = 0;
    }

    /** Returns how long to wait before something is sent again. */
    public long failed(long nowMillis) {
        failures++;
        if (!probing && failures < threshold) {
            return firstMillis;
        }
        probing = false;
        open = true;
        long wait = Math.min(mostMillis, firstMillis << Math.min(openings++, 20));
        openUntil = nowMillis + wait;
        return wait;
    }

    public boolean isOpen() {
        return open;
    }
}
