package neuralcore.relay;

import java.util.random.RandomGenerator;

/**
 * The life of a relay's connection as a state machine, and when the next attempt is due.
 *
 * <p>The first attempt after a loss comes within {@value #FIRST_MILLIS} ms; each further wait is
 * twice the one before, up to {@code mostMillis}, and of each a random part up to half is taken
 * away, so that the relays of many daemons do not come back in one moment. An attempt succeeds or
 * fails once: what comes later is of an older attempt and {@link #isCurrent} tells so.
 *
 * <p>Not thread-safe.
 */
public final class Link {
    static final long FIRST_MILLIS = 100;

    private final long mostMillis;
    private final int mostAttempts;
    private final RandomGenerator random;
    private RelayStatus status = RelayStatus.DISCONNECTED;
    private String reason = "";
    private boolean wasConnected;
    private int failures;
    private long attempt;
    private long reconnects;

    /**
     * @param mostMillis longest wait between two attempts
     * @param mostAttempts failed attempts in a row before it gives up; 0 for never
     */
    public Link(long mostMillis, int mostAttempts, RandomGenerator random) {
        this.mostMillis = mostMillis;
        this.mostAttempts = mostAttempts;
        this.random = random;
    }

    public RelayStatus status() {
        return status;
    }

    /** Why the last connection ended or the last attempt failed; empty if there was no such. */
    public String reason() {
        return reason;
    }

    /** Connections made after the first. */
    public long reconnects() {
        return reconnects;
    }

    /** Begins an attempt; its number is what its outcome is told with. */
    public long begin() {
        status = wasConnected ? RelayStatus.RECONNECTING : RelayStatus.CONNECTING;
        return ++attempt;
    }

    /** The attempt, or the connection, that counts. */
    public long attempt() {
        return attempt;
    }

    /** Whether an outcome belongs to the attempt, or the connection, that counts. */
    public boolean isCurrent(long number) {
        return number == attempt
                && status != RelayStatus.DISCONNECTED
                && status != RelayStatus.FAILED;
    }

    public void connected() {
        status = RelayStatus.CONNECTED;
        reconnects += wasConnected ? 1 : 0;
        wasConnected = true;
        failures = 0;
    }

    /**
     * The connection is gone, or the attempt has failed.
     *
     * @return how long to wait before the next attempt, or -1 if there is to be none
     */
    public long lost(String why) {
        reason = why;
        attempt++;
        failures = status == RelayStatus.CONNECTED ? 0 : failures + 1;
        if (mostAttempts > 0 && failures >= mostAttempts) {
            status = RelayStatus.FAILED;
            return -1;
        }
        status = wasConnected ? RelayStatus.RECONNECTING : RelayStatus.CONNECTING;
        long full = Math.min(mostMillis, FIRST_MILLIS << Math.min(failures, 20));
        return full - random.nextLong(full / 2 + 1);
    }

    /** It is to end, and nothing is to be tried. */
    public void disconnect() {
        status = RelayStatus.DISCONNECTED;
        attempt++;
        failures = 0;
        wasConnected = false;
    }
}
