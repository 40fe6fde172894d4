package neuralcore.bridge;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Vertx;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.ConnectionIds;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * The sessions behind one door: opened under its rules, no more than allowed at a time, counted for
 * the node, and held to their deadlines. For that door's event loop; {@link #size} may be asked by
 * any thread.
 */
public final class Sessions {
    private static final long SWEEP_MILLIS = 1_000;

    private final Vertx vertx;
    private final Limits limits;
    private final AddressRules rules;
    private final Token token;
    private final Greeting greeting;
    private final int most;
    private final Counter throttled;
    private final Set<Session> open = ConcurrentHashMap.newKeySet();

    public Sessions(
            Vertx vertx,
            RuntimeConfig.Bridge config,
            Token token,
            Greeting greeting,
            MeterRegistry meters) {
        this.vertx = vertx;
        this.limits = Limits.of(config);
        this.rules = new AddressRules(config.inbound(), config.outbound());
        this.token = token;
        this.greeting = greeting;
        this.most = config.maxConnections();
        this.throttled = meters.counter("neuralcore_bridge_throttled_total");
        vertx.setPeriodic(SWEEP_MILLIS, timer -> open.forEach(Session::enforceDeadlines));
        vertx.eventBus()
                .<String>localConsumer(
                        Addresses.CLUSTER_BUS_GONE,
                        gone -> List.copyOf(open).forEach(session -> session.busGone(gone.body())));
    }

    /**
     * Begins a session; {@link #ended} must follow when its connection has gone. One too many is
     * told so and closed.
     *
     * @param prefix of its id, to tell doors apart
     * @param authenticated whether the transport has already told who the client is
     */
    public Session begin(String prefix, Transport transport, boolean authenticated) {
        String id = ConnectionIds.on(vertx, prefix + UUID.randomUUID());
        Session session =
                new Session(
                        vertx,
                        id,
                        transport,
                        authenticated,
                        limits,
                        rules,
                        token,
                        greeting,
                        throttled::increment);
        open.add(session);
        count(1);
        if (open.size() > most) {
            session.refuse(
                    new NeuralCoreException(
                            ErrorCode.LIMIT_EXCEEDED,
                            "The daemon has %d connections here, the most it may."
                                    .formatted(most)));
        }
        return session;
    }

    public void ended(Session session) {
        open.remove(session);
        session.closed();
        count(-1);
    }

    public int size() {
        return open.size();
    }

    private void count(int difference) {
        vertx.eventBus().publish(Addresses.CONNECTIONS, difference, Services.local());
    }
}
