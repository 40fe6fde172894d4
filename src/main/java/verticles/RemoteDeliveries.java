package verticles;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.ClusterMember;
import neuralcore.eventbus.ConnectionIds;
import neuralcore.eventbus.RoutedFrame;
import neuralcore.eventbus.Services;
import neuralcore.wire.Frame;

/**
 * What the bus has for connections, wherever they are, and which of them go when a node does. For
 * the bus's event loop.
 */
final class RemoteDeliveries {
    private final Vertx vertx;
    private final String member;
    private final Consumer<String> connectionClosed;
    private final Map<String, Set<String>> ofNodes = new HashMap<>();

    /**
     * @param connectionClosed is told of each connection to a node that is gone
     */
    RemoteDeliveries(Vertx vertx, Consumer<String> connectionClosed) {
        this.vertx = vertx;
        this.member = ClusterMember.of(vertx);
        this.connectionClosed = connectionClosed;
        vertx.eventBus()
                .<String>localConsumer(Addresses.CLUSTER_GONE, gone -> nodeGone(gone.body()));
    }

    /** On a node with doors: takes what a bus elsewhere has for its connections. */
    static Future<Void> receive(Vertx vertx) {
        return vertx.eventBus()
                .<RoutedFrame>consumer(
                        Addresses.door(ClusterMember.of(vertx)),
                        routed ->
                                vertx.eventBus()
                                        .send(
                                                Addresses.deliveries(routed.body().connection()),
                                                routed.body().frame(),
                                                Services.local()))
                .completion();
    }

    /** A connection has used the bus. */
    void seen(String connection) {
        String node = ConnectionIds.nodeOf(connection);
        if (!isHere(node)) {
            ofNodes.computeIfAbsent(node, name -> new HashSet<>()).add(connection);
        }
    }

    void closed(String connection) {
        Set<String> others = ofNodes.get(ConnectionIds.nodeOf(connection));
        if (others != null) {
            others.remove(connection);
        }
    }

    void send(String connection, Frame frame) {
        String node = ConnectionIds.nodeOf(connection);
        if (isHere(node)) {
            vertx.eventBus().send(Addresses.deliveries(connection), frame, Services.local());
        } else {
            vertx.eventBus().send(Addresses.door(node), new RoutedFrame(connection, frame));
        }
    }

    /** What names no node is this one's own: relays, and whatever is in no cluster. */
    private boolean isHere(String node) {
        return node.isEmpty() || node.equals(member);
    }

    private void nodeGone(String node) {
        Set<String> gone = ofNodes.remove(node);
        if (gone != null) {
            gone.forEach(connectionClosed);
        }
    }
}
