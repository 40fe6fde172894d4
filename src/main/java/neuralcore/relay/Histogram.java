package neuralcore.relay;

/** Counts of values by powers of two: what is in bucket n is less than 2ⁿ. Not thread-safe. */
public final class Histogram {
    private static final int BUCKETS = 48;

    private final long[] counts = new long[BUCKETS];
    private long count;
    private long sum;

    public void record(long value) {
        record(value, 1);
    }

    public void record(long value, long times) {
        int bucket = Long.SIZE - Long.numberOfLeadingZeros(Math.max(0, value));
        counts[Math.min(bucket, BUCKETS - 1)] += times;
        count += times;
        sum += value * times;
    }

    public long count() {
        return count;
    }

    public double mean() {
        return count == 0 ? 0 : (double) sum / count;
    }

    /** The upper end of the bucket that holds this part of all values; 0 if there are none. */
    public long quantile(double part) {
        long wanted = (long) Math.ceil(part * count);
        long seen = 0;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            seen += counts[bucket];
            if (seen >= wanted && seen > 0) {
                return 1L << bucket;
            }
        }
        return 0;
    }
}
