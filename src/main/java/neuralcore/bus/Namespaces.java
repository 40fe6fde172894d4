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
import neuralcore.journal.Journal;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;

/**
 * All namespaces of a daemon: opens one when its name is first used, knows which of them a client's
 * subscription is in, and lets nobody into another client's private one.
 *
 * <p>A namespace whose name begins {@code private-} belongs to the client that first used it and
 * ends with the last of the client's connections that used it: one that reconnects before the end
 * of its old connection was noticed finds all as it was. Others stay, and are removed once all
 * their channels have been idle. Not thread-safe.
 */
public final class Namespaces {
    private static final String PRIVATE = "private-";

    private final BusSettings settings;
    private final Surroundings surroundings;
    private final Map<String, Namespace> open = new HashMap<>();
    private final Map<String, Owner> owners = new HashMap<>();
    private final Map<String, Connection> connections = new HashMap<>();

    /** What namespaces that have ended counted. */
    private final Counts retired = new Counts();

    /** Nothing is due anywhere before this. */
    private long nextDue = Timers.NEVER;

    public Namespaces(BusSettings settings, Surroundings surroundings) {
        this.settings = settings;
        this.surroundings = surroundings;
    }

    /** {@link #step(String, String, BusEvent.InNamespace, Effects)} for a client without a name. */
    public void step(String namespace, BusEvent.InNamespace event, Effects effects) {
        step(namespace, event.connection(), event, effects);
    }

    /**
     * Handles an event for one namespace.
     *
     * @param client who is behind the event's connection, for what is private
     * @throws NeuralCoreException as {@link Namespace#step} does; {@code ACCESS_DENIED} for another
     *     client's private namespace, {@code LIMIT_EXCEEDED} for a namespace too many
     */
    public void step(String namespace, String client, BusEvent.InNamespace event, Effects effects) {
        switch (event) {
            case BusEvent.Subscribe subscribe -> subscribe(namespace, client, subscribe, effects);
            case BusEvent.Publish _,
                    BusEvent.CreateChannel _,
                    BusEvent.ConfigureChannel _,
                    BusEvent.LoadProfile _,
                    BusEvent.RemoveChannel _,
                    BusEvent.Purge _,
                    BusEvent.Requeue _ ->
                    step(open(namespace, client, event.connection()), event, effects);
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
            case BusEvent.Settle settle -> settle(settle, effects);
            case BusEvent.ConnectionClosed closed -> connectionClosed(closed, effects);
            case BusEvent.Tick tick -> tick(tick, effects);
            case BusEvent.JournalSpoke spoke -> {
                Namespace namespace = open.get(spoke.namespace());
                if (namespace != null) {
                    step(namespace, spoke, effects);
                }
            }
        }
    }

    /** Opens every namespace that has a journal. */
    public void recover() {
        Surroundings.Storage storage = surroundings.storage();
        if (storage != null) {
            storage.journals().existing().forEach(this::openKept);
        }
    }

    /**
     * Opens a namespace with its journal. Where the journal's files have been removed or replaced
     * since it was opened, and nobody else uses it, it begins anew with what is there now.
     *
     * @return whether it does, and what was open is not any more
     * @throws NeuralCoreException {@code STORAGE_FAILED} if they have been, and somebody uses it
     */
    public boolean openKept(String name, String connection) {
        Namespace known = open.get(name);
        boolean anew = known != null && known.hasLostItsFiles();
        if (known != null && anew) {
            if (!known.hasNoSubscribers() || isOpenedBesides(name, connection)) {
                throw new NeuralCoreException(
                        ErrorCode.STORAGE_FAILED,
                        ("The journal of namespace '%s' was removed or replaced while programs use"
                                        + " it; end them first.")
                                .formatted(name));
            }
            known.closeLedger();
            end(name, known);
        }
        openKept(name);
        connection(connection).opened.add(name);
        return anew;
    }

    private void openKept(String name) {
        Namespace namespace = open.get(name);
        if (namespace == null) {
            namespace = openFresh(name);
        }
        namespace.openLedger();
    }

    private boolean isOpenedBesides(String name, String connection) {
        return connections.entrySet().stream()
                .anyMatch(
                        other ->
                                !other.getKey().equals(connection)
                                        && other.getValue().opened.contains(name));
    }

    /** The journal of a namespace; null if it has none. */
    public @Nullable Journal journal(String namespace, String client) {
        checkOwner(namespace, client);
        Namespace known = open.get(namespace);
        Ledger ledger = known == null ? null : known.ledger();
        return ledger == null ? null : ledger.journal();
    }

    /** Lets go of all journals. */
    public void closeJournals() {
        open.values().forEach(Namespace::closeLedger);
    }

    private void step(Namespace namespace, BusEvent event, Effects effects) {
        try {
            namespace.step(event, effects);
        } finally {
            nextDue = Math.min(nextDue, namespace.nextDue());
        }
    }

    /** Nothing is due before this that no event brings; a {@link BusEvent.Tick} is wanted then. */
    public long nextDue() {
        return nextDue;
    }

    /** The configuration of each channel of a namespace, by name; none if it is not open. */
    public SortedMap<String, ChannelConfig> configs(String namespace, String client) {
        checkOwner(namespace, client);
        Namespace known = open.get(namespace);
        return known == null ? new TreeMap<>() : known.configs();
    }

    /** The counts of each channel of a namespace, by name; none if it is not open. */
    public SortedMap<String, ChannelStats> stats(String namespace, String client) {
        checkOwner(namespace, client);
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
     *     ACCESS_DENIED} if it is another client's
     */
    public void close(String namespace, String client) {
        if (!isPrivate(namespace)) {
            throw NeuralCoreException.invalid(
                    "Namespace '%s' is shared; only names beginning '%s' can be closed."
                            .formatted(namespace, PRIVATE));
        }
        checkOwner(namespace, client);
        Namespace known = open.get(namespace);
        Owner owner = owners.get(namespace);
        if (known == null || owner == null) {
            return;
        }
        end(namespace, known);
        for (String id : owner.connections) {
            Connection connection = connection(id);
            connection.privateOnes.remove(namespace);
            connection.subscriptions.values().removeIf(of -> of == known);
            forgetIfEmpty(id, connection);
        }
    }

    private void subscribe(
            String namespace, String client, BusEvent.Subscribe subscribe, Effects effects) {
        if (subscribe.connection().isEmpty()) {
            throw NeuralCoreException.invalid("Only a client's connection can subscribe.");
        }
        Connection connection = connections.get(subscribe.connection());
        if (connection != null && connection.subscriptions.containsKey(subscribe.subscription())) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "Subscription %s is in use by this connection; choose another number."
                            .formatted(Integer.toUnsignedString(subscribe.subscription())));
        }
        Namespace target = open(namespace, client, subscribe.connection());
        step(target, subscribe, effects);
        connection(subscribe.connection()).subscriptions.put(subscribe.subscription(), target);
    }

    private void unsubscribe(BusEvent.Unsubscribe unsubscribe, Effects effects) {
        Connection connection = connections.get(unsubscribe.connection());
        Namespace of =
                connection == null
                        ? null
                        : connection.subscriptions.remove(unsubscribe.subscription());
        if (connection == null || of == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND,
                    "This connection has no subscription %s."
                            .formatted(Integer.toUnsignedString(unsubscribe.subscription())));
        }
        step(of, unsubscribe, effects);
        forgetIfEmpty(unsubscribe.connection(), connection);
    }

    private void credit(BusEvent.Credit credit, Effects effects) {
        Connection connection = connections.get(credit.connection());
        if (connection == null) {
            return;
        }
        Map<Namespace, List<Frame.Grant>> grants = new LinkedHashMap<>();
        for (Frame.Grant grant : credit.grants()) {
            if (grant.subscription() == Frame.Grant.CONNECTION) {
                connection.window.giveBack(grant.messages());
                continue;
            }
            Namespace of = connection.subscriptions.get(grant.subscription());
            if (of != null) {
                grants.computeIfAbsent(of, namespace -> new ArrayList<>()).add(grant);
            }
        }
        grants.forEach(
                (of, granted) ->
                        step(
                                of,
                                new BusEvent.Credit(
                                        credit.nowMillis(), credit.connection(), granted),
                                effects));
        goOn(credit, connection.window, effects);
    }

    /** Those go on that had to wait for room in a connection's window. */
    private void goOn(BusEvent.Credit credit, Window window, Effects effects) {
        for (String name = window.next(); name != null; name = window.next()) {
            Namespace waits = open.get(name);
            if (waits != null) {
                step(
                        waits,
                        new BusEvent.Credit(credit.nowMillis(), credit.connection(), List.of()),
                        effects);
            }
        }
    }

    private void settle(BusEvent.Settle settle, Effects effects) {
        Connection connection = connections.get(settle.connection());
        Map<Namespace, List<Settlement>> settlements = new LinkedHashMap<>();
        int unknown = 0;
        for (Settlement settlement : settle.settlements()) {
            Namespace of =
                    connection == null
                            ? null
                            : connection.subscriptions.get(settlement.subscription());
            if (of == null) {
                unknown++;
            } else {
                settlements.computeIfAbsent(of, unused -> new ArrayList<>()).add(settlement);
            }
        }
        settlements.forEach(
                (of, own) ->
                        step(
                                of,
                                new BusEvent.Settle(settle.nowMillis(), settle.connection(), own),
                                effects));
        effects.settled(0, unknown);
    }

    private void connectionClosed(BusEvent.ConnectionClosed closed, Effects effects) {
        Connection connection = connections.remove(closed.connection());
        if (connection == null) {
            return;
        }
        for (Namespace namespace : new LinkedHashSet<>(connection.subscriptions.values())) {
            step(namespace, closed, effects);
        }
        for (String name : connection.privateOnes) {
            Owner owner = owners.get(name);
            Namespace namespace = open.get(name);
            if (owner != null && namespace != null) {
                owner.connections.remove(closed.connection());
                if (owner.connections.isEmpty()) {
                    end(name, namespace);
                }
            }
        }
    }

    private void tick(BusEvent.Tick tick, Effects effects) {
        nextDue = Timers.NEVER;
        for (Iterator<Map.Entry<String, Namespace>> all = open.entrySet().iterator();
                all.hasNext(); ) {
            Map.Entry<String, Namespace> entry = all.next();
            Namespace namespace = entry.getValue();
            step(namespace, tick, effects);
            if (namespace.isUnused()
                    && !namespace.isKept()
                    && !owners.containsKey(entry.getKey())) {
                namespace.addTo(retired);
                all.remove();
            }
        }
    }

    static boolean isPrivate(String namespace) {
        return namespace.startsWith(PRIVATE);
    }

    private Namespace open(String name, String client, String connection) {
        checkOwner(name, client);
        Namespace namespace = open.get(name);
        if (namespace == null) {
            namespace = openFresh(name);
        }
        if (isPrivate(name)) {
            owners.computeIfAbsent(name, unused -> new Owner(client)).connections.add(connection);
            connection(connection).privateOnes.add(name);
        }
        return namespace;
    }

    private Namespace openFresh(String name) {
        if (open.size() >= settings.maxNamespaces()) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "%d namespaces are open, as many as may be; '%s' is one too many."
                            .formatted(open.size(), name));
        }
        Namespace fresh = new Namespace(name, settings, surroundings, id -> connection(id).window);
        Profile profile = settings.profiles().of(name);
        if (profile != null) {
            fresh.load(profile);
        }
        open.put(name, fresh);
        return fresh;
    }

    private void checkOwner(String namespace, String client) {
        Owner owner = owners.get(namespace);
        if (owner != null && !owner.client.equals(client)) {
            throw new NeuralCoreException(
                    ErrorCode.ACCESS_DENIED,
                    "Namespace '%s' is private to another client; choose another name."
                            .formatted(namespace));
        }
    }

    private void end(String name, Namespace namespace) {
        namespace.close();
        namespace.addTo(retired);
        open.remove(name);
        owners.remove(name);
    }

    private Connection connection(String id) {
        return connections.computeIfAbsent(id, unused -> new Connection());
    }

    private void forgetIfEmpty(String id, Connection connection) {
        if (connection.subscriptions.isEmpty()
                && connection.privateOnes.isEmpty()
                && connection.opened.isEmpty()) {
            connections.remove(id);
        }
    }

    /** What a connection has here. */
    private static final class Connection {
        final Map<Integer, Namespace> subscriptions = new HashMap<>();
        final Set<String> privateOnes = new HashSet<>();

        /** Namespaces of whose journals it has said where they are. */
        final Set<String> opened = new HashSet<>();

        final Window window = new Window();
    }

    /** Whose a private namespace is, and by which of the client's connections it was used. */
    private static final class Owner {
        final String client;
        final Set<String> connections = new HashSet<>();

        Owner(String client) {
            this.client = client;
        }
    }
}
