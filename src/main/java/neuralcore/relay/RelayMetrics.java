package neuralcore.relay;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a relay has done so far. Not thread-safe: it belongs to the relay's event loop. */
public final class RelayMetrics {
    /** Messages that the broker has answered for. */
    public long published;

    /** Messages from the broker that the bus has taken. */
    public long received;

    /** Of them, those it had before. */
    public long duplicates;

    /** Messages of volatile channels that were sent and never answered for. */
    public long lost;

    /**
     * Messages from the broker that the bus had no room for, where nobody would bring them again.
     */
    public long dropped;

    /** Messages from the broker that could not be read. */
    public long malformed;

    /** Messages that are not as their channel's schema says, in either direction. */
    public long invalid;

    /** Messages that had been here before on their way. */
    public long loops;

    /** Answers of the broker that were errors, and lost connections. */
    public long errors;

    /** Bytes before and after compression, of what was sent. */
    public long plainBytes;

    public long sentBytes;

    /** Microseconds from sending a batch to the broker's answer, for each message. */
    public final Histogram latencyMicros = new Histogram();

    public final Histogram batchSizes = new Histogram();

    public Map<String, @Nullable Object> toMap() {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        map.put("published", published);
        map.put("received", received);
        map.put("duplicates", duplicates);
        map.put("lost", lost);
        map.put("dropped", dropped);
        map.put("malformed", malformed);
        map.put("invalid", invalid);
        map.put("loops", loops);
        map.put("errors", errors);
        map.put("batches", batchSizes.count());
        map.put("batch_size_mean", batchSizes.mean());
        map.put("latency_us_mean", latencyMicros.mean());
        map.put("latency_us_p50", latencyMicros.quantile(0.5));
        map.put("latency_us_p99", latencyMicros.quantile(0.99));
        map.put("compression_ratio", sentBytes == 0 ? 1.0 : (double) plainBytes / sentBytes);
        return map;
    }
}
