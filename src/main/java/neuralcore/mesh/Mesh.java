package neuralcore.mesh;

import io.netty.handler.ssl.SslHandshakeTimeoutException;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetSocket;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import javax.net.ssl.SSLException;
import neuralcore.cluster.Handshake;
import neuralcore.cluster.Passport;
import neuralcore.cluster.Roster;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is in the cluster. Each node has a link to each other, keeps it alive by saying something
 * each second, and takes whoever has been silent for {@link #SILENCE_MILLIS} for gone. Nodes that
 * are not there are dialled each second: those of the configuration, and those that others have
 * told of. So a split heals by itself, and a node that comes back tells anew where it listens.
 *
 * <p>There is no leader and nothing is agreed upon: each node answers for itself alone. Two nodes
 * that both hold what only one may have (the journal, the collections) refuse each other.
 *
 * <p>State belongs to one event loop; {@link #members} and {@link #member} may be asked by any
 * thread.
 */
final class Mesh {
    /** Longer than the event bus waits for an answer, so that its connections have ended, too. */
    static final long SILENCE_MILLIS = 6_000;

    /** What only one node of a cluster may have: the journal and the collections are its own. */
    private static final List<String> ONCE = List.of("bus", "vectors");

    private static final Logger log = LoggerFactory.getLogger(Mesh.class);
    private static final long TICK_MILLIS = 500;
    private static final long HELD_UP_MILLIS = 2_000;
    private static final long HANDSHAKE_MILLIS = 10_000;
    private static final long TELL_OF_OTHERS_MILLIS = 30_000;
    private static final long LAST_WORD_MILLIS = 100;
    private static final int MOST_STRANGERS = 256;
    private static final int LISTENERS_A_MESSAGE = 1_000;

    /** What becomes of the cluster; on the mesh's event loop. */
    interface Listener {
        void joined(Passport node);

        void left(Passport node, String why);

        /** Somebody else listens at these addresses, or no longer does. */
        void listenersChanged(Collection<String> addresses);
    }

    private final Vertx vertx;
    private final Context context;
    private final MeshOptions options;
    private final Roster roster;
    private final Listener listener;
    private final Targets targets;
    private final Map<String, MeshLink> members = new ConcurrentHashMap<>();
    private final Set<MeshLink> strangers = new HashSet<>();
    private final NetClient client;
    private @Nullable NetServer server;
    private volatile @Nullable Passport self;
    private long tickNanos = System.nanoTime();
    private long toldMillis;
    private long timer = -1;
    private boolean leaving;

    Mesh(Vertx vertx, MeshOptions options, Roster roster, Listener listener) {
        this.vertx = vertx;
        this.context = vertx.getOrCreateContext();
        this.options = options;
        this.roster = roster;
        this.listener = listener;
        this.targets = new Targets(options.join());
        this.client = vertx.createNetClient(options.client());
    }

    /**
     * Opens the door and dials.
     *
     * @param passport makes this node's of the port that its membership has got
     * @return done when all that are to be joined were tried; failed, with the reason, if one of
     *     them refuses this node
     */
    Future<Void> start(IntFunction<Passport> passport) {
        Promise<Void> started = Promise.promise();
        context.runOnContext(
                now -> {
                    NetServer opened = vertx.createNetServer(options.server());
                    server = opened;
                    opened.connectHandler(socket -> greet(socket))
                            .exceptionHandler(
                                    failure ->
                                            log.warn(
                                                    "A connection to the cluster's port was"
                                                            + " refused: {}",
                                                    told(failure)))
                            .listen(options.port(), options.host())
                            .recover(failure -> Future.failedFuture(cannotListen(failure)))
                            .compose(
                                    listening -> {
                                        self = passport.apply(listening.actualPort());
                                        timer = vertx.setPeriodic(TICK_MILLIS, id -> tick());
                                        return dialAll();
                                    })
                            .<Void>mapEmpty()
                            .onComplete(started);
                });
        return started.future();
    }

    private NeuralCoreException cannotListen(Throwable failure) {
        return new NeuralCoreException(
                ErrorCode.PORT_IN_USE,
                "The cluster's port cannot be opened at %s:%d: %s. Say this node's own address in cluster.host, or choose another cluster.port (0 picks a free one)."
                        .formatted(options.host(), options.port(), failure.getMessage()),
                failure);
    }

    List<Passport> members() {
        List<Passport> all = new ArrayList<>();
        members.values()
                .forEach(
                        link -> {
                            Passport peer = link.peer();
                            if (peer != null) {
                                all.add(peer);
                            }
                        });
        return all;
    }

    @Nullable Passport member(String node) {
        MeshLink link = members.get(node);
        return link == null ? null : link.peer();
    }

    /** Tells all that this node listens at an address, or no longer does. */
    void tell(Roster.Listener changed, boolean listens) {
        context.runOnContext(
                now ->
                        broadcast(
                                message(
                                        listens ? "listen" : "leave",
                                        "at",
                                        encoded(List.of(changed)))));
    }

    /** Says goodbye. */
    Future<Void> leave() {
        Promise<Void> left = Promise.promise();
        context.runOnContext(
                now -> {
                    leaving = true;
                    vertx.cancelTimer(timer);
                    broadcast(message("bye", "node", ""));
                    vertx.setTimer(
                            LAST_WORD_MILLIS,
                            said -> {
                                members.values().forEach(MeshLink::close);
                                NetServer opened = server;
                                Future<Void> closed =
                                        opened == null ? Future.succeededFuture() : opened.close();
                                closed.eventually(client::close).onComplete(left);
                            });
                });
        return left.future();
    }

    // Dialling

    private Future<?> dialAll() {
        List<Future<Void>> dialled =
                targets.due(nowMillis(), connected()).stream().map(this::dial).toList();
        Promise<Void> tried = Promise.promise();
        Future.join(dialled)
                .onComplete(
                        done -> tried.complete(),
                        failure ->
                                dialled.stream()
                                        .map(Future::cause)
                                        .filter(NeuralCoreException.class::isInstance)
                                        .findFirst()
                                        .ifPresentOrElse(tried::fail, tried::complete));
        return tried.future();
    }

    /** Fails with a NeuralCoreException if it was refused, with another if nobody is there. */
    private Future<Void> dial(String at) {
        int colon = at.lastIndexOf(':');
        String host = at.substring(0, colon).replaceAll("[\\[\\]]", "");
        Promise<Void> met = Promise.promise();
        client.connect(Integer.parseInt(at.substring(colon + 1)), host)
                .onComplete(
                        socket -> open(socket, at, met),
                        failure ->
                                met.fail(isDistrust(failure) ? untrusted(at, failure) : failure));
        return met.future()
                .onComplete(
                        done -> targets.ended(at, ""),
                        failure -> {
                            if (targets.ended(at, told(failure))) {
                                log.warn("The node at {} was not joined: {}", at, told(failure));
                            }
                        });
    }

    /** A handshake that took too long tells of a busy machine, not of a stranger. */
    private static boolean isDistrust(Throwable failure) {
        return isOrHas(SSLException.class, failure)
                && !isOrHas(SslHandshakeTimeoutException.class, failure);
    }

    private static boolean isOrHas(Class<?> type, @Nullable Throwable failure) {
        return failure != null && (type.isInstance(failure) || isOrHas(type, failure.getCause()));
    }

    private static NeuralCoreException untrusted(String at, Throwable failure) {
        return new NeuralCoreException(
                ErrorCode.UNAUTHENTICATED,
                ("the node at %s and this one do not trust each other's certificates (%s); both must"
                                + " be of the same authority")
                        .formatted(at, told(failure)));
    }

    private void greet(NetSocket socket) {
        if (strangers.size() >= MOST_STRANGERS || leaving) {
            socket.close();
            return;
        }
        open(socket, null, Promise.promise());
    }

    private void open(NetSocket socket, @Nullable String target, Promise<Void> met) {
        Handshake handshake =
                new Handshake(options.secret(), own(), target != null, this::objection);
        MeshLink link = new MeshLink(socket, handshake, target);
        strangers.add(link);
        socket.closeHandler(closed -> ended(link, met));
        socket.exceptionHandler(
                failure ->
                        met.tryFail(
                                target != null && isDistrust(failure)
                                        ? untrusted(target, failure)
                                        : failure));
        link.open((from, message) -> heard(from, message, met));
        if (target == null) {
            link.say(handshake.challenge());
        }
    }

    private String objection(Passport other) {
        List<String> theirs = List.of(other.roles().split(","));
        for (String role : ONCE) {
            if (options.roles().contains(role) && theirs.contains(role)) {
                return ("the node at %s has the role %s, and so has the one at %s; one node of a"
                                + " cluster has it, with its data folder: leave it out of roles")
                        .formatted(other.at(), role, own().at());
            }
        }
        return "";
    }

    // What others say

    private void heard(MeshLink link, Params message, Promise<Void> met) {
        Passport peer = link.peer();
        if (peer == null) {
            shakeHands(link, message, met);
            return;
        }
        if (members.get(peer.node()) != link) {
            return; // another link to the same node counts
        }
        switch (message.string("type")) {
            case "listeners" -> {
                Set<String> touched = roster.replace(peer.node(), listeners(message));
                listener.listenersChanged(touched);
            }
            case "listen" -> changed(listeners(message), one -> roster.add(peer.node(), one));
            case "leave" -> changed(listeners(message), one -> roster.remove(peer.node(), one));
            case "nodes" -> message.strings("at").forEach(at -> targets.told(at, nowMillis()));
            case "bye" -> {
                targets.gone(peer.at());
                lose(link, "it has said goodbye");
            }
            default -> {
                // Its being heard was what mattered.
            }
        }
    }

    private void shakeHands(MeshLink link, Params message, Promise<Void> met) {
        switch (link.handshake().heard(message)) {
            case Handshake.Outcome.Say say -> link.say(say.message());
            case Handshake.Outcome.Met now -> {
                link.say(now.message());
                strangers.remove(link);
                link.met(now.peer());
                admit(link, now.peer());
                met.tryComplete();
            }
            case Handshake.Outcome.Refused refused -> {
                refused(link, refused, met);
            }
        }
    }

    private void refused(MeshLink link, Handshake.Outcome.Refused refused, Promise<Void> met) {
        String target = link.target();
        if (target != null && refused.code() == ErrorCode.ALREADY_EXISTS) {
            targets.isSelf(target);
            met.tryComplete();
        } else if (target != null) {
            met.tryFail(
                    new NeuralCoreException(
                            refused.code(),
                            "The cluster's node at %s and this one cannot work together: %s."
                                    .formatted(target, refused.reason())));
        } else {
            log.warn(
                    "A node at {} was refused: {}",
                    link.socket().remoteAddress(),
                    refused.reason());
        }
        Map<String, @Nullable Object> last = refused.message();
        if (last != null) {
            link.say(last);
        }
        vertx.setTimer(LAST_WORD_MILLIS, said -> link.close());
    }

    /** Of two links to one node the one counts that the node of the lesser name has dialled. */
    private void admit(MeshLink link, Passport peer) {
        MeshLink known = members.get(peer.node());
        String me = own().node();
        if (known != null && link.caller(me, peer).compareTo(known.caller(me, peer)) > 0) {
            vertx.setTimer(HELD_UP_MILLIS, later -> link.close());
            return;
        }
        members.put(peer.node(), link);
        introduce(link);
        if (known == null) {
            roster.replace(peer.node(), List.of());
            log.info("Node {} at {} ({}) is in the cluster", peer.node(), peer.at(), peer.roles());
            broadcast(message("nodes", "at", List.of(peer.at())));
            listener.joined(peer);
        } else {
            vertx.setTimer(HELD_UP_MILLIS, later -> known.close());
        }
    }

    /** Tells a new member where this node listens, and of the others. */
    private void introduce(MeshLink link) {
        List<Roster.Listener> all = roster.told();
        int first = Math.min(all.size(), LISTENERS_A_MESSAGE);
        link.say(message("listeners", "at", encoded(all.subList(0, first))));
        for (int from = first; from < all.size(); from += LISTENERS_A_MESSAGE) {
            int to = Math.min(all.size(), from + LISTENERS_A_MESSAGE);
            link.say(message("listen", "at", encoded(all.subList(from, to))));
        }
        link.say(message("nodes", "at", members().stream().map(Passport::at).toList()));
    }

    private void changed(List<Roster.Listener> listeners, Consumer<Roster.Listener> each) {
        listeners.forEach(each);
        listener.listenersChanged(listeners.stream().map(Roster.Listener::address).toList());
    }

    private static List<Roster.Listener> listeners(Params message) {
        List<Roster.Listener> listeners = new ArrayList<>();
        Map<String, @Nullable Object> at = message.optionalObject("at");
        if (at != null) {
            at.forEach(
                    (address, numbers) -> {
                        if (numbers instanceof List<?> list) {
                            list.stream()
                                    .filter(Long.class::isInstance)
                                    .map(number -> new Roster.Listener(address, (Long) number))
                                    .forEach(listeners::add);
                        }
                    });
        }
        return listeners;
    }

    private static Map<String, List<Long>> encoded(List<Roster.Listener> listeners) {
        Map<String, List<Long>> encoded = new LinkedHashMap<>();
        for (Roster.Listener one : listeners) {
            encoded.computeIfAbsent(one.address(), address -> new ArrayList<>()).add(one.number());
        }
        return encoded;
    }

    // Ends

    private void ended(MeshLink link, Promise<Void> met) {
        strangers.remove(link);
        met.tryFail("it has closed the connection");
        lose(link, "its connection has ended");
    }

    private void lose(MeshLink link, String why) {
        Passport peer = link.peer();
        if (peer == null || !members.remove(peer.node(), link)) {
            return;
        }
        link.close();
        log.info("Node {} at {} is no longer in the cluster: {}", peer.node(), peer.at(), why);
        listener.listenersChanged(roster.remove(peer.node()));
        listener.left(peer, why);
    }

    private void tick() {
        long now = System.nanoTime();
        long heldUp = now - tickNanos;
        tickNanos = now;
        for (MeshLink link : List.copyOf(members.values())) {
            if (heldUp > HELD_UP_MILLIS * 1_000_000) {
                link.excuse(heldUp);
            }
            if (link.silentMillis(now) > SILENCE_MILLIS) {
                lose(link, "it has been silent for %d ms".formatted(link.silentMillis(now)));
            }
        }
        for (MeshLink link : List.copyOf(strangers)) {
            if (link.ageMillis(now) > HANDSHAKE_MILLIS) {
                link.close();
            }
        }
        boolean others = nowMillis() - toldMillis > TELL_OF_OTHERS_MILLIS;
        toldMillis = others ? nowMillis() : toldMillis;
        broadcast(
                others
                        ? message("nodes", "at", members().stream().map(Passport::at).toList())
                        : message("here", "node", ""));
        targets.due(nowMillis(), connected()).forEach(this::dial);
    }

    private void broadcast(Map<String, @Nullable Object> message) {
        members.values().forEach(link -> link.say(message));
    }

    private Set<String> connected() {
        Set<String> connected = new HashSet<>();
        members.values()
                .forEach(
                        link -> {
                            Passport peer = link.peer();
                            if (peer != null) {
                                connected.add(peer.at());
                            }
                            String target = link.target();
                            if (target != null) {
                                connected.add(target);
                            }
                        });
        connected.add(own().at());
        return connected;
    }

    /** What this node tells of itself. */
    Passport own() {
        Passport passport = self;
        if (passport == null) {
            throw new IllegalStateException("the mesh has not started");
        }
        return passport;
    }

    private static Map<String, @Nullable Object> message(
            String type, String name, @Nullable Object value) {
        Map<String, @Nullable Object> message = new LinkedHashMap<>();
        message.put("type", type);
        message.put(name, value);
        return message;
    }

    private static String told(Throwable failure) {
        String message = failure.getMessage();
        return message == null ? failure.getClass().getSimpleName() : message;
    }

    private static long nowMillis() {
        return System.nanoTime() / 1_000_000;
    }
}
