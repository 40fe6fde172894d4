package neuralcore.ops;

import com.hazelcast.cluster.MembershipAdapter;
import com.hazelcast.cluster.MembershipEvent;
import com.hazelcast.config.Config;
import com.hazelcast.config.JoinConfig;
import com.hazelcast.config.MapConfig;
import com.hazelcast.config.MultiMapConfig;
import com.hazelcast.config.NetworkConfig;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.EventBusOptions;
import io.vertx.spi.cluster.hazelcast.HazelcastClusterManager;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.ClusterMember;
import neuralcore.eventbus.Services;

/**
 * Builds a Vert.x that shares its event bus with other nodes. Nodes are named, never searched for:
 * no multicast. Hazelcast keeps membership and who listens where; messages go from node to node.
 */
final class ClusteredVertx {
    private ClusteredVertx() {}

    static Future<Vertx> build(VertxOptions options, RuntimeConfig.Cluster cluster) {
        System.setProperty("hazelcast.phone.home.enabled", "false");
        System.setProperty("hazelcast.wait.seconds.before.join", "0");
        System.setProperty("hazelcast.shutdownhook.enabled", "false");
        options.setEventBusOptions(new EventBusOptions().setHost(cluster.host()));
        HazelcastClusterManager manager = new HazelcastClusterManager(hazelcast(cluster));
        return Vertx.builder()
                .with(options)
                .withClusterManager(manager)
                .buildClustered()
                .onSuccess(vertx -> tellOfMembers(vertx, manager));
    }

    /** Who this node is to the membership, and who is no longer there. */
    private static void tellOfMembers(Vertx vertx, HazelcastClusterManager manager) {
        ClusterMember.set(vertx, manager.getNodeId());
        manager.getHazelcastInstance()
                .getCluster()
                .addMembershipListener(
                        new MembershipAdapter() {
                            @Override
                            public void memberRemoved(MembershipEvent event) {
                                vertx.eventBus()
                                        .publish(
                                                Addresses.CLUSTER_GONE,
                                                event.getMember().getUuid().toString(),
                                                Services.local());
                            }
                        });
    }

    private static Config hazelcast(RuntimeConfig.Cluster cluster) {
        Config config = new Config().setClusterName("neuralcore");
        // What vertx-hazelcast's own XML file says; reading it takes Hazelcast's XML parser.
        config.addMultiMapConfig(
                new MultiMapConfig("__vertx.subs")
                        .setBackupCount(1)
                        .setValueCollectionType(MultiMapConfig.ValueCollectionType.SET));
        config.addMapConfig(new MapConfig("__vertx.haInfo").setBackupCount(1));
        config.addMapConfig(new MapConfig("__vertx.nodeInfo").setBackupCount(1));
        NetworkConfig network = config.getNetworkConfig();
        network.setPort(cluster.port()).setPortAutoIncrement(cluster.port() == 0);
        network.getInterfaces().setEnabled(true).addInterface(cluster.host());
        JoinConfig join = network.getJoin();
        join.getAutoDetectionConfig().setEnabled(false);
        join.getMulticastConfig().setEnabled(false);
        join.getTcpIpConfig().setEnabled(true).setMembers(cluster.join());
        return config;
    }
}
