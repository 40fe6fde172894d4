package neuralcore.mesh;

import io.vertx.core.Completable;
import io.vertx.core.Vertx;
import io.vertx.core.shareddata.AsyncMap;
import io.vertx.core.shareddata.Counter;
import io.vertx.core.shareddata.Lock;
import io.vertx.core.spi.cluster.ClusterManager;
import io.vertx.core.spi.cluster.NodeInfo;
import io.vertx.core.spi.cluster.NodeListener;
import io.vertx.core.spi.cluster.RegistrationInfo;
import io.vertx.core.spi.cluster.RegistrationListener;
import io.vertx.core.spi.cluster.RegistrationUpdateEvent;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import neuralcore.cluster.Passport;
import neuralcore.cluster.Roster;
import org.jspecify.annotations.Nullable;

/**
 * Tells Vert.x's event bus of the {@link Mesh}: which nodes there are, and who listens where. Maps,
 * locks and counters that a cluster would share there are none: nothing here needs them, and they
 * could not be had without agreement between nodes. Thread-safe.
 */
public final class MeshClusterManager implements ClusterManager {
    private final MeshOptions options;
    private final Consumer<Passport> gone;
    private final String node = UUID.randomUUID().toString();
    private final Roster roster = new Roster(node);

    /** Held while the event bus is told, so that it hears the newest last. */
    private final Object telling = new Object();

    private @Nullable Vertx vertx;
    private volatile @Nullable Mesh mesh;
    private volatile @Nullable NodeInfo self;
    private volatile @Nullable NodeListener nodes;
    private volatile @Nullable RegistrationListener registrations;
    private volatile boolean active;

    /**
     * @param gone is told of nodes that are no longer there, on an event loop
     */
    public MeshClusterManager(MeshOptions options, Consumer<Passport> gone) {
        this.options = options;
        this.gone = gone;
    }

    /** This node, once it has started. */
    public Passport self() {
        Mesh started = mesh;
        if (started == null) {
            throw new IllegalStateException("the node has not started");
        }
        return started.own();
    }

    /** The other nodes. */
    public List<Passport> members() {
        Mesh started = mesh;
        return started == null ? List.of() : started.members();
    }

    @Override
    public void init(Vertx given) {
        vertx = given;
    }

    @Override
    public void join(Completable<Void> done) {
        active = true;
        done.succeed();
    }

    /** Comes when the event bus has its port, which others are to be told; only now are they. */
    @Override
    public void setNodeInfo(NodeInfo info, Completable<Void> done) {
        Vertx given = vertx;
        if (given == null) {
            throw new IllegalStateException("init() comes first");
        }
        self = info;
        Mesh made = new Mesh(given, options, roster, new ForVertx());
        mesh = made;
        made.start(port -> passport(info, port)).onComplete(done);
    }

    private Passport passport(NodeInfo info, int port) {
        return new Passport(
                node,
                options.version(),
                options.publicHost(),
                options.publicPort() == 0 ? port : options.publicPort(),
                info.host(),
                info.port(),
                String.join(",", options.roles().stream().sorted().toList()));
    }

    @Override
    public void leave(Completable<Void> done) {
        active = false;
        Mesh started = mesh;
        if (started == null) {
            done.succeed();
        } else {
            started.leave().onComplete(done);
        }
    }

    @Override
    public boolean isActive() {
        return active;
    }

    @Override
    public String getNodeId() {
        return node;
    }

    @Override
    public List<String> getNodes() {
        List<String> all = new ArrayList<>();
        all.add(node);
        members().forEach(peer -> all.add(peer.node()));
        return all;
    }

    @Override
    public void nodeListener(NodeListener listener) {
        nodes = listener;
    }

    @Override
    public @Nullable NodeInfo getNodeInfo() {
        return self;
    }

    @Override
    public void getNodeInfo(String id, Completable<NodeInfo> done) {
        NodeInfo own = self;
        Mesh started = mesh;
        if (id.equals(node) && own != null) {
            done.succeed(own);
            return;
        }
        Passport peer = started == null ? null : started.member(id);
        if (peer == null) {
            done.fail("Node %s is not in the cluster.".formatted(id));
        } else {
            done.succeed(new NodeInfo(peer.eventHost(), peer.eventPort(), null));
        }
    }

    @Override
    public void registrationListener(RegistrationListener listener) {
        registrations = listener;
    }

    @Override
    public void addRegistration(
            String address, RegistrationInfo registration, Completable<Void> done) {
        changed(new Roster.Listener(address, registration.seq()), registration.localOnly(), true);
        done.succeed();
    }

    @Override
    public void removeRegistration(
            String address, RegistrationInfo registration, Completable<Void> done) {
        changed(new Roster.Listener(address, registration.seq()), registration.localOnly(), false);
        done.succeed();
    }

    private void changed(Roster.Listener listener, boolean localOnly, boolean listens) {
        if (listens) {
            roster.listen(listener, localOnly);
        } else {
            roster.leave(listener);
        }
        Mesh started = mesh;
        if (!localOnly && started != null) {
            started.tell(listener, listens);
        }
        tellVertx(listener.address());
    }

    @Override
    public void getRegistrations(String address, Completable<List<RegistrationInfo>> done) {
        done.succeed(registrations(address));
    }

    private List<RegistrationInfo> registrations(String address) {
        return roster.at(address).stream()
                .map(one -> new RegistrationInfo(one.node(), one.number(), one.localOnly()))
                .toList();
    }

    private void tellVertx(String address) {
        RegistrationListener listener = registrations;
        if (listener != null && listener.wantsUpdatesFor(address)) {
            synchronized (telling) {
                listener.registrationsUpdated(
                        new RegistrationUpdateEvent(address, registrations(address)));
            }
        }
    }

    private final class ForVertx implements Mesh.Listener {
        @Override
        public void joined(Passport peer) {
            NodeListener listener = nodes;
            if (listener != null) {
                listener.nodeAdded(peer.node());
            }
        }

        @Override
        public void left(Passport peer, String why) {
            NodeListener listener = nodes;
            if (listener != null) {
                listener.nodeLeft(peer.node());
            }
            gone.accept(peer);
        }

        @Override
        public void listenersChanged(Collection<String> addresses) {
            addresses.forEach(MeshClusterManager.this::tellVertx);
        }
    }

    private static UnsupportedOperationException notShared(String what) {
        return new UnsupportedOperationException("This cluster shares no " + what + ".");
    }

    @Override
    public <K, V> void getAsyncMap(String name, Completable<AsyncMap<K, V>> done) {
        done.fail(notShared("maps"));
    }

    @Override
    public <K, V> Map<K, V> getSyncMap(String name) {
        throw notShared("maps");
    }

    @Override
    public void getLockWithTimeout(String name, long timeout, Completable<Lock> done) {
        done.fail(notShared("locks"));
    }

    @Override
    public void getCounter(String name, Completable<Counter> done) {
        done.fail(notShared("counters"));
    }
}
