package neuralcore.eventbus;

import io.vertx.core.Vertx;

/** What the cluster's membership calls this node. */
public final class ClusterMember {
    private static final String MAP = "neuralcore.cluster";
    private static final String NAME = "member";

    private ClusterMember() {}

    /** Once, when the node has joined. */
    public static void set(Vertx vertx, String name) {
        vertx.sharedData().<String, String>getLocalMap(MAP).put(NAME, name);
    }

    /** Empty for a node that is in no cluster. */
    public static String of(Vertx vertx) {
        return vertx.sharedData().<String, String>getLocalMap(MAP).getOrDefault(NAME, "");
    }
}
