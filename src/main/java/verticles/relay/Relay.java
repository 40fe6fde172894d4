package verticles.relay;

import io.vertx.core.Future;
import java.util.Map;
import neuralcore.relay.Route;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/** What can be asked of a relay, whatever its broker. It belongs to its verticle's event loop. */
public interface Relay {
    /** Takes up the routes; returns before the server is reached. */
    Future<Void> start();

    Future<Void> stop();

    /** Connects, if it is not connected or trying to. */
    Future<Void> on();

    /** Ends connections and subscriptions; what is persistent waits in the journal. */
    Future<Void> off();

    /** Takes nothing in any more, sends what it has, then switches itself off. */
    void drain();

    /** Gives up the places of durable routes in the journal, for good. */
    Future<Void> forget();

    /** One route more. */
    Future<Void> add(Route route);

    /**
     * Sends messages straight to the server, past the bus, each with its outcome: null, or what
     * went wrong.
     */
    Future<Map<String, @Nullable Object>> publish(Params params);

    /** Status, routes and metrics. */
    Map<String, @Nullable Object> describe();

    /**
     * Answers at once whatever the server does: {@code healthy} if the server answered just now,
     * and {@code answer_age}, seconds since it last said anything; -1 if it never has.
     */
    Future<Map<String, @Nullable Object>> health();
}
