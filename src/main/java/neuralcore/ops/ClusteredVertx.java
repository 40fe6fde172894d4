package neuralcore.ops;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import neuralcore.cluster.Passport;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.ClusterMember;
import neuralcore.eventbus.Services;
import neuralcore.mesh.MeshClusterManager;
import neuralcore.mesh.MeshOptions;
import org.jspecify.annotations.Nullable;

/**
 * Builds a Vert.x that shares its event bus with other nodes. Nodes are named, never searched for.
 * The {@link neuralcore.mesh} keeps who is there and who listens where; messages go from node to
 * node. Both are TLS on which either side shows a certificate.
 */
public final class ClusteredVertx {
    private static final String BUS = "bus";

    private ClusteredVertx() {}

    /** Done when the node has joined, or nobody is there to join yet. */
    public static Future<Vertx> build(
            VertxOptions options, RuntimeConfig config, Map<String, String> environment) {
        MeshOptions mesh = mesh(config, environment);
        options.setEventBusOptions(mesh.eventBus());
        AtomicReference<@Nullable Vertx> built = new AtomicReference<>();
        MeshClusterManager manager =
                new MeshClusterManager(mesh, gone -> tellOfLoss(built.get(), gone));
        return Vertx.builder()
                .with(options)
                .withClusterManager(manager)
                .buildClustered()
                .onSuccess(
                        vertx -> {
                            built.set(vertx);
                            ClusterMember.set(vertx, manager.getNodeId());
                            ClusterStatus.begin(vertx, manager.self(), manager::members);
                        });
    }

    private static void tellOfLoss(@Nullable Vertx vertx, Passport gone) {
        if (vertx == null) {
            return;
        }
        vertx.eventBus().publish(Addresses.CLUSTER_GONE, gone.node(), Services.local());
        if (List.of(gone.roles().split(",")).contains(BUS)) {
            vertx.eventBus()
                    .publish(
                            Addresses.CLUSTER_BUS_GONE,
                            "The node at %s, which has the bus, is gone.".formatted(gone.at()),
                            Services.local());
        }
    }

    private static MeshOptions mesh(RuntimeConfig config, Map<String, String> environment) {
        RuntimeConfig.Cluster cluster = config.cluster();
        ClusterCredentials.Loaded credentials = ClusterCredentials.load(cluster, environment);
        String publicHost =
                cluster.publicHost().equals("auto") ? cluster.host() : cluster.publicHost();
        return new MeshOptions(
                cluster.host(),
                cluster.port(),
                cluster.eventPort(),
                publicHost,
                cluster.publicPort(),
                cluster.publicEventPort(),
                cluster.join(),
                config.roles().stream().map(RuntimeConfig.Role::key).collect(Collectors.toSet()),
                Version.NUMBER,
                credentials.tls(),
                credentials.secret());
    }
}
