package neuralcore.bus;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;

/**
 * All namespaces of a daemon: opens one when its name is first used, knows which of them a client's
 * subscription is in, and lets nobody into another connection's private one.
 *
 * <p>A namespace whose name begins {@code private-} belongs to the connection that first used it
 * and ends with it. Others stay, and are removed once all their channels have been idle. Not
 * thread-safe.
 */
public final class Namespaces {
    private static final String PRIVATE = "private-";

    private final BusSettings settings;
    private final Map<String, Namespace> open = new HashMap<>();
    private final Map<String, String> owners = new HashMap<>();
    private final Map<String, Client> clients = new HashMap<>();

    /** What namespaces that have ended counted. */
    private final Counts retired = new Counts();

    public Namespaces(BusSettings settings) {
        this.settings = settings;
    }

    /**
     * Handles an event for one namespace.
     *
     * @throws NeuralCoreException as {@link Namespace#step} does; {@code ACCESS_DENIED} for another
     *     connection's private namespace, {@code LIMIT_EXCEEDED} for a namespace too many
     */
    public void step(String namespace, BusEvent.InNamespace event, Effects effects) {
        switch (event) {
            case BusEvent.Subscribe subscribe -> subscribe(namespace, subscribe, effects);
            case BusEvent.Publish publish ->
                    open(namespace, publish.connection()).step(publish, effects);
            case BusEvent.CreateChannel create ->
                    open(namespace, create.connection()).step(create, effects);
        }
    }

    /**
     * Handles an event for whichever namespaces it touches.
     *
     * @throws NeuralCoreException {@code NOT_FOUND} for a subscription to end that is not there
     */
    public void step(BusEvent.Everywhere event, Effects effects) {
        switch (event) {
            case BusEvent.Unsubscribe unsubscribe -> unsubscribe(unsubscribe, effects);
            case BusEvent.Credit credit -> credit(credit, effects);
            case BusEvent.ConnectionClosed closed -> connectionClosed(closed, effects);
            case BusEvent.Tick tick -> tick(tick, effects);
        }
    }

    /** The counts of each channel of a namespace, by name; none if it is not open. */
    public SortedMap<String, ChannelStats> stats(String namespace, String connection) {
        checkOwner(namespace, connection);
        Namespace known = open.get(namespace);
        return known == null ? new TreeMap<>() : known.stats();
    }

    /** The sums over everything, since the start. */
    public ChannelStats totals() {
        Counts totals = new Counts();
        totals.add(retired);
        open.values().forEach(namespace -> namespace.addTo(totals));
        return totals.snapshot();
    }

    public int size() {
        return open.size();
    }

    public int channels() {
        return open.values().stream().mapToInt(Namespace::channels).sum();
    }

    /**
     * Ends a private namespace with all it holds; nothing happens if it is not open.
     *
     * @throws NeuralCoreException {@code INVALID_REQUEST} if it is not private, {@code
     *     ACCESS_DENIED} if it is another connection's
     */
    public void close(String namespace, String connection) {
        if (!namespace.startsWith(PRIVATE)) {
            throw NeuralCoreException.invalid(
                    "Namespace '%s' is shared; only names beginning '%s' can be closed."
                            .formatted(namespace, PRIVATE));
        }
        checkOwner(namespace, connection);
        Namespace known = open.get(namespace);
        Client owner = clients.get(connection);
        if (known == null || owner == null) {
            return;
        }
        end(namespace, known);
        owner.owned.remove(namespace);
        owner.subscriptions.values().removeIf(of -> of == known);
        forgetIfEmpty(connection, owner);
    }

    private void subscribe(String namespace, BusEvent.Subscribe subscribe, Effects effects) {
        if (subscribe.connection().isEmpty()) {
            throw NeuralCoreException.invalid("Only a client's connection can subscribe.");
        }
        Client client = clients.get(subscribe.connection());
        if (client != null && client.subscriptions.containsKey(subscribe.subscription())) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "Subscription %s is in use by this connection; choose another number."
                            .formatted(Integer.toUnsignedString(subscribe.subscription())));
        }
        Namespace target = open(namespace, subscribe.connection());
        target.step(subscribe, effects);
        client(subscribe.connection()).subscriptions.put(subscribe.subscription(), target);
    }

    private void unsubscribe(BusEvent.Unsubscribe unsubscribe, Effects effects) {
        Client client = clients.get(unsubscribe.connection());
        Namespace of =
                client == null ? null : client.subscriptions.remove(unsubscribe.subscription());
        if (client == null || of == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND,
                    "This connection has no subscription %s."
                            .formatted(Integer.toUnsignedString(unsubscribe.subscription())));
        }
        of.step(unsubscribe, effects);
        forgetIfEmpty(unsubscribe.connection(), client);
    }

    private void credit(BusEvent.Credit credit, Effects effects) {
        Client client = clients.get(credit.connection());
        if (client == null) {
            return;
        }
        Map<Namespace, List<Frame.Grant>> grants = new LinkedHashMap<>();
        for (Frame.Grant grant : credit.grants()) {
            Namespace of = client.subscriptions.get(grant.subscription());
            if (of != null) {
                grants.computeIfAbsent(of, namespace -> new ArrayList<>()).add(grant);
            }
        }
        grants.forEach(
                (of, granted) ->
                        of.step(
                                new BusEvent.Credit(
                                        credit.nowMillis(), credit.connection(), granted),
                                effects));
    }

    private void connectionClosed(BusEvent.ConnectionClosed closed, Effects effects) {
        Client client = clients.remove(closed.connection());
        if (client == null) {
            return;
        }
        for (Namespace namespace : new LinkedHashSet<>(client.subscriptions.values())) {
            namespace.step(closed, effects);
        }
        for (String name : client.owned) {
            Namespace namespace = open.get(name);
            if (namespace != null) {
                end(name, namespace);
            }
        }
    }

    private void tick(BusEvent.Tick tick, Effects effects) {
        for (Iterator<Map.Entry<String, Namespace>> all = open.entrySet().iterator();
                all.hasNext(); ) {
            Map.Entry<String, Namespace> entry = all.next();
            Namespace namespace = entry.getValue();
            namespace.step(tick, effects);
            if (namespace.channels() == 0 && !owners.containsKey(entry.getKey())) {
                namespace.addTo(retired);
                all.remove();
            }
        }
    }

    private Namespace open(String name, String connection) {
        checkOwner(name, connection);
        Namespace known = open.get(name);
        if (known != null) {
            return known;
        }
        Namespace fresh = new Namespace(name, settings);
        if (open.size() >= settings.maxNamespaces()) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "%d namespaces are open, as many as may be; '%s' is one too many."
                            .formatted(open.size(), name));
        }
        open.put(name, fresh);
        if (name.startsWith(PRIVATE)) {
            owners.put(name, connection);
            client(connection).owned.add(name);
        }
        return fresh;
    }

    private void checkOwner(String namespace, String connection) {
        String owner = owners.get(namespace);
        if (owner != null && !owner.equals(connection)) {
            throw new NeuralCoreException(
                    ErrorCode.ACCESS_DENIED,
                    "Namespace '%s' is private to another connection; choose another name."
                            .formatted(namespace));
        }
    }

    private void end(String name, Namespace namespace) {
        namespace.close();
        namespace.addTo(retired);
        open.remove(name);
        owners.remove(name);
    }

    private Client client(String connection) {
        return clients.computeIfAbsent(connection, unused -> new Client());
    }

    private void forgetIfEmpty(String connection, Client client) {
        if (client.subscriptions.isEmpty() && client.owned.isEmpty()) {
            clients.remove(connection);
        }
    }

    /** What a connection has here. */
    private static final class Client {
        final Map<Integer, Namespace> subscriptions = new HashMap<>();
        final Set<String> owned = new HashSet<>();
    }
}
