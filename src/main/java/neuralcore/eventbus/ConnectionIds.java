package neuralcore.eventbus;

import io.vertx.core.Vertx;

/**
 * Names of client connections. In a cluster a name ends with the node's that has the connection, so
 * that whoever has something for it knows where to send it, and what goes with a node.
 */
public final class ConnectionIds {
    private static final char AT = '@';

    private ConnectionIds() {}

    /** The name of a connection to this node. */
    public static String on(Vertx vertx, String name) {
        String member = ClusterMember.of(vertx);
        return member.isEmpty() ? name : name + AT + member;
    }

    /** What the cluster calls the node that has the connection; empty if there is no cluster. */
    public static String nodeOf(String connection) {
        int at = connection.lastIndexOf(AT);
        return at < 0 ? "" : connection.substring(at + 1);
    }
}
