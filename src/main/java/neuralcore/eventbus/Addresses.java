package neuralcore.eventbus;

/** Every event-bus address of the daemon; {@code docs/architecture.md} lists who answers them. */
public final class Addresses {
    // Services: a Request is answered by a Reply.
    public static final String SYSTEM_INFO = "neuralcore.system.info";
    public static final String SYSTEM_ECHO = "neuralcore.system.echo";
    public static final String SYSTEM_STOP = "neuralcore.system.stop";

    public static final String EMBEDDING_EMBED = "neuralcore.embedding.embed";
    public static final String EMBEDDING_MODELS = "neuralcore.embedding.models";
    public static final String EMBEDDING_TOKENS = "neuralcore.embedding.tokens";
    public static final String EMBEDDING_RERANK = "neuralcore.embedding.rerank";
    public static final String EMBEDDING_LOAD = "neuralcore.embedding.load";
    public static final String EMBEDDING_NODES = "neuralcore.embedding.nodes";

    public static final String VECTORS_SIMILARITY = "neuralcore.vectors.similarity";
    public static final String VECTORS_TOP_K = "neuralcore.vectors.topk";
    public static final String VECTORS_CREATE = "neuralcore.vectors.create";
    public static final String VECTORS_DROP = "neuralcore.vectors.drop";
    public static final String VECTORS_LIST = "neuralcore.vectors.list";
    public static final String VECTORS_UPSERT = "neuralcore.vectors.upsert";
    public static final String VECTORS_GET = "neuralcore.vectors.get";
    public static final String VECTORS_DELETE = "neuralcore.vectors.delete";
    public static final String VECTORS_SEARCH = "neuralcore.vectors.search";
    public static final String VECTORS_COUNT = "neuralcore.vectors.count";
    public static final String VECTORS_SCROLL = "neuralcore.vectors.scroll";
    public static final String VECTORS_DESCRIBE = "neuralcore.vectors.describe";
    public static final String VECTORS_SNAPSHOT = "neuralcore.vectors.snapshot";

    public static final String MESSAGING_SUBSCRIBE = "neuralcore.messaging.subscribe";
    public static final String MESSAGING_UNSUBSCRIBE = "neuralcore.messaging.unsubscribe";
    public static final String MESSAGING_CREATE = "neuralcore.messaging.create";
    public static final String MESSAGING_CONFIGURE = "neuralcore.messaging.configure";
    public static final String MESSAGING_REMOVE = "neuralcore.messaging.remove";
    public static final String MESSAGING_CHANNELS = "neuralcore.messaging.channels";
    public static final String MESSAGING_PROFILE = "neuralcore.messaging.profile";
    public static final String MESSAGING_STATS = "neuralcore.messaging.stats";
    public static final String MESSAGING_OPEN = "neuralcore.messaging.open";
    public static final String MESSAGING_HISTORY = "neuralcore.messaging.history";
    public static final String MESSAGING_DEAD_LETTERS = "neuralcore.messaging.dead_letters";
    public static final String MESSAGING_REQUEUE = "neuralcore.messaging.requeue";
    public static final String MESSAGING_PURGE = "neuralcore.messaging.purge";
    public static final String MESSAGING_PRUNE = "neuralcore.messaging.prune";
    public static final String MESSAGING_BACKUP = "neuralcore.messaging.backup";
    public static final String MESSAGING_IMPORT = "neuralcore.messaging.import";
    public static final String MESSAGING_CLOSE = "neuralcore.messaging.close";

    public static final String RELAY_OPEN = "neuralcore.messaging.relay.open";
    public static final String RELAY_CLOSE = "neuralcore.messaging.relay.close";
    public static final String RELAY_LIST = "neuralcore.messaging.relay.list";
    public static final String RELAY_HEALTH = "neuralcore.messaging.relay.health";
    public static final String RELAY_ON = "neuralcore.messaging.relay.on";
    public static final String RELAY_OFF = "neuralcore.messaging.relay.off";
    public static final String RELAY_DRAIN = "neuralcore.messaging.relay.drain";
    public static final String RELAY_REDRIVE = "neuralcore.messaging.relay.redrive";
    public static final String RELAY_PUBLISH = "neuralcore.messaging.relay.publish";
    public static final String RELAY_SCHEMA = "neuralcore.messaging.relay.schema";
    public static final String RELAY_TRAIN = "neuralcore.messaging.relay.train";
    public static final String RELAY_ROUTE = "neuralcore.messaging.relay.route";

    /** JSON clients publish to and register at {@code neuralcore.bus.<namespace>.<channel>}. */
    public static final String CHANNEL_PREFIX = "neuralcore.bus.";

    // Between verticles only; no bridge lets them through.
    public static final String INTERNAL_PREFIX = "neuralcore.internal.";

    /** A {@link PublishBatch} from the bridge to the bus, answered by {@code Frame.Published}. */
    public static final String BUS_PUBLISH = INTERNAL_PREFIX + "bus.publish";

    /** A {@link CreditBatch} from the bridge to the bus. */
    public static final String BUS_CREDIT = INTERNAL_PREFIX + "bus.credit";

    /** A {@link SettleBatch} from the bridge to the bus, answered by {@code Frame.Settled}. */
    public static final String BUS_SETTLE = INTERNAL_PREFIX + "bus.settle";

    /** The id of a client connection that has ended, to whoever keeps something for it. */
    public static final String CONNECTION_CLOSED = INTERNAL_PREFIX + "connection.closed";

    /** An Integer: 1 when a client connected, -1 when one left. */
    public static final String CONNECTIONS = INTERNAL_PREFIX + "connections";

    /** The daemon is to end; the body is the reason, a String for the log. */
    public static final String STOP = INTERNAL_PREFIX + "stop";

    /** Takes the name of an {@code ErrorCode}: the daemon cannot go on. */
    public static final String FATAL = INTERNAL_PREFIX + "fatal";

    /** A verticle's readiness changed: a JsonObject {@code {part, ready, detail}}. */
    public static final String READINESS = INTERNAL_PREFIX + "readiness";

    private static final String RELAY = INTERNAL_PREFIX + "relay.";

    /** An {@code Announcement}, as a JsonObject, of a node that embeds, to all nodes. */
    public static final String CLUSTER_ANNOUNCEMENT = INTERNAL_PREFIX + "cluster.announcement";

    /** A node wants to know who embeds: those who do announce themselves now. No body. */
    public static final String CLUSTER_WHO = INTERNAL_PREFIX + "cluster.who";

    /** A JsonObject {@code {node, reason}}: a door gives that node nothing; no reason, it does. */
    public static final String CLUSTER_REFUSED = INTERNAL_PREFIX + "cluster.refused";

    /** The name that the membership had for a node that is gone, a String; on this node only. */
    public static final String CLUSTER_GONE = INTERNAL_PREFIX + "cluster.gone";

    /** The node that had the bus is gone; the body is why, a String; on this node only. */
    public static final String CLUSTER_BUS_GONE = INTERNAL_PREFIX + "cluster.bus_gone";

    /** The node is to end: its embedding takes no more, and answers once it has nothing left. */
    public static final String CLUSTER_LEAVE = INTERNAL_PREFIX + "cluster.leave";

    private static final String EMBEDDING_NODE = INTERNAL_PREFIX + "embedding.node.";
    private static final String EMBEDDING_WORKER = INTERNAL_PREFIX + "embedding.worker.";
    private static final String DOOR = INTERNAL_PREFIX + "door.";
    private static final String CONNECTION = INTERNAL_PREFIX + "connection.";

    private Addresses() {}

    /**
     * Where a connection takes a {@code Frame.Deliver} for its client, a {@code Frame.Published}
     * with batch 0 that takes back what was accepted earlier, or a {@code Frame.Flow}.
     */
    public static String deliveries(String connection) {
        return CONNECTION + connection;
    }

    /** Where a node of a cluster takes a {@link RoutedFrame} for a connection that it has. */
    public static String door(String member) {
        return DOOR + member;
    }

    /** Where one relay takes what {@code neuralcore.relay.*} asks of it. */
    public static String relay(String name) {
        return RELAY + name;
    }

    /** Where a node of a cluster embeds, asked as {@link #EMBEDDING_EMBED} is. */
    public static String embeddingNode(String node) {
        return EMBEDDING_NODE + node;
    }

    /** Where an embedding worker takes batches. */
    public static String embeddingWorker(String worker) {
        return EMBEDDING_WORKER + worker;
    }
}
