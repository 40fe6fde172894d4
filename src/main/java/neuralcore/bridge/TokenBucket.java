package neuralcore.bridge;

/**
 * A rate that may be exceeded for a moment: holds at most one second's worth of tokens and fills up
 * as time passes. What has come is taken whole, if need be on credit; until the debt is paid
 * nothing more is to be let in. So nothing is ever turned away.
 *
 * <p>Knows no clock; not thread-safe.
 */
final class TokenBucket {
    private static final long SECOND_NANOS = 1_000_000_000;

    private final long perSecond;
    private double tokens;
    private long filledAtNanos;

    /**
     * @param perSecond 0 for no bound
     */
    TokenBucket(long perSecond, long nowNanos) {
        this.perSecond = perSecond;
        this.tokens = perSecond;
        this.filledAtNanos = nowNanos;
    }

    /** Takes so many, and returns for how many nanoseconds nothing more should be let in. */
    long take(long count, long nowNanos) {
        if (perSecond == 0) {
            return 0;
        }
        double gained = (double) (nowNanos - filledAtNanos) / SECOND_NANOS * perSecond;
        tokens = Math.min(perSecond, tokens + gained) - count;
        filledAtNanos = nowNanos;
        return tokens >= 0 ? 0 : (long) Math.ceil(-tokens / perSecond * SECOND_NANOS);
    }
}
