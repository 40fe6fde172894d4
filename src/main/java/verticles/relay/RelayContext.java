package verticles.relay;

import io.vertx.core.Vertx;
import neuralcore.relay.CircuitBreaker;
import neuralcore.relay.RecentIds;
import neuralcore.relay.RelayCodec;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.RelayMetrics;

/**
 * What all routes of one relay share.
 *
 * @param node this daemon's name among those that messages may pass
 */
public record RelayContext(
        Vertx vertx,
        RelayConfig config,
        String node,
        BusPort bus,
        RelayCodec codec,
        RelayMetrics metrics,
        RecentIds recent,
        CircuitBreaker breaker) {

    static final int RECENT_IDS = 65_536;

    static long nowMillis() {
        return System.nanoTime() / 1_000_000;
    }

    static long nowEpochNanos() {
        return System.currentTimeMillis() * 1_000_000;
    }

    /** How a place in the broker is called in messages' meta. */
    String place(String target) {
        return config.brokerWord() + ":" + target;
    }
}
