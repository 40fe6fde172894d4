package verticles.relay;

import io.vertx.core.Vertx;
import java.util.concurrent.ThreadLocalRandom;
import neuralcore.relay.CircuitBreaker;
import neuralcore.relay.Incoming;
import neuralcore.relay.RecentIds;
import neuralcore.relay.Refusal;
import neuralcore.relay.RelayCodec;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.RelayMetrics;
import neuralcore.relay.ZstdDictionary;
import neuralcore.relay.schema.SchemaRegistry;
import neuralcore.wire.Envelope;
import org.jspecify.annotations.Nullable;

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
        SchemaRegistry schemas,
        RelayMetrics metrics,
        RecentIds recent,
        CircuitBreaker breaker) {

    private static final int RECENT_IDS = 65_536;
    private static final int BREAKER_FAILURES = 5;
    private static final long BREAKER_FIRST_MILLIS = 50;
    private static final long BREAKER_MOST_MILLIS = 5_000;

    /**
     * What a relay begins with.
     *
     * @param client on whose behalf it works; empty for the relay's own name
     * @param maxUnpacked bytes of a message from a broker at most
     */
    static RelayContext of(
            Vertx vertx,
            RelayConfig config,
            String node,
            String client,
            int maxUnpacked,
            SchemaRegistry schemas) {
        String name = "relay:" + config.name();
        String connection = name + ":" + Long.toHexString(ThreadLocalRandom.current().nextLong());
        return new RelayContext(
                vertx,
                config,
                node,
                new BusPort(vertx, connection, client.isEmpty() ? name : client),
                new RelayCodec(
                        node,
                        maxUnpacked,
                        config.dictionaries().stream().map(ZstdDictionary::of).toList()),
                schemas,
                new RelayMetrics(),
                new RecentIds(RECENT_IDS),
                new CircuitBreaker(BREAKER_FAILURES, BREAKER_FIRST_MILLIS, BREAKER_MOST_MILLIS));
    }

    static long nowMillis() {
        return System.nanoTime() / 1_000_000;
    }

    static long nowEpochNanos() {
        return System.currentTimeMillis() * 1_000_000;
    }

    /** Why a message from the broker goes to the dead letters; null if it does not. */
    @Nullable Refusal refusal(Envelope message, Incoming incoming) {
        String problem = schemas.incoming(message, incoming.schema());
        return problem == null ? null : Refusal.ofSchema(problem);
    }

    /** A route's name, as of a durable group, and in dead letters. */
    String routeName(String target) {
        return "relay." + config.name() + "." + target;
    }

    /** How a place in the broker is called in messages' meta. */
    String place(String target) {
        return config.brokerWord() + ":" + target;
    }
}
