package neuralcore.bus;

/**
 * Lets through what a {@link Rate} allows. O(1) and 16 bytes of state: instead of counting tokens
 * it keeps the time at which the bucket would be full again (the generic cell rate algorithm, ITU-T
 * I.371), in microseconds so that rates above 1,000 a second stay exact.
 */
final class TokenBucket {
    private final double microsEach;
    private final double tolerance;
    private double fullAgain = Double.NEGATIVE_INFINITY;

    TokenBucket(Rate rate) {
        microsEach = 1e6 / rate.perSecond();
        tolerance = microsEach * (rate.burst() - 1);
    }

    boolean allows(long nowMillis) {
        return fullAgain - tolerance <= nowMillis * 1e3;
    }

    /** Takes a token, perhaps one that is not there yet. */
    void take(long nowMillis) {
        fullAgain = Math.max(fullAgain, nowMillis * 1e3) + microsEach;
    }

    /** When {@link #allows} will say so. */
    long nextMillis(long nowMillis) {
        return allows(nowMillis)
                ? nowMillis
                : Math.max(nowMillis + 1, (long) Math.ceil((fullAgain - tolerance) / 1e3));
    }
}
