package neuralcore.bridge;

import io.vertx.core.Vertx;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;

/**
 * The sessions behind one door: opened under its rules, counted for the node, and held to their
 * deadlines. For that door's event loop; {@link #size} may be asked by any thread.
 */
public final class Sessions {
    private static final long SWEEP_MILLIS = 1_000;

    private final Vertx vertx;
    private final Limits limits;
    private final AddressRules rules;
    private final Token token;
    private final Greeting greeting;
    private final Set<Session> open = ConcurrentHashMap.newKeySet();

    public Sessions(
            Vertx vertx, Limits limits, AddressRules rules, Token token, Greeting greeting) {
        this.vertx = vertx;
        this.limits = limits;
        this.rules = rules;
        this.token = token;
        this.greeting = greeting;
        vertx.setPeriodic(SWEEP_MILLIS, timer -> open.forEach(Session::enforceDeadlines));
    }

    /**
     * Begins a session; {@link #ended} must follow when its connection has gone.
     *
     * @param prefix of its id, to tell doors apart
     * @param authenticated whether the transport has already told who the client is
     */
    public Session begin(String prefix, Transport transport, boolean authenticated) {
        String id = prefix + UUID.randomUUID();
        Session session =
                new Session(vertx, id, transport, authenticated, limits, rules, token, greeting);
        open.add(session);
        count(1);
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
