package neuralcore.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * Every effective setting, read once at start. {@code conf/neuralcore.yaml} documents each key; a
 * record here carries the keys of its section.
 */
public record RuntimeConfig(
        Set<Role> roles,
        int eventLoops,
        Data data,
        Bridge bridge,
        Web web,
        Bus bus,
        Relays relays,
        Vectors vectors,
        Embedding embedding,
        Lifecycle lifecycle,
        Cluster cluster,
        Log log) {

    public RuntimeConfig {
        roles = Set.copyOf(roles);
    }

    /** A part of the runtime that a node can run. */
    public enum Role {
        BUS,
        VECTORS,
        EMBEDDING,
        BRIDGE,
        WEB,
        RELAY;

        /** As the settings have it. */
        public String key() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * Where things are kept.
     *
     * @param folder everything the daemon keeps
     */
    public record Data(Path folder) {
        public Path run() {
            return folder.resolve("run");
        }

        /** Collections of vectors. */
        public Path vectors() {
            return folder.resolve("vectors");
        }

        /** What can be made again: extracted models and native libraries. */
        public Path cache() {
            return folder.resolve("cache");
        }

        public Path logs() {
            return folder.resolve("logs");
        }
    }

    /**
     * The door for clients.
     *
     * @param socket unix socket path
     * @param host address of the TCP listener
     * @param port TCP port; 0 picks a free one
     * @param maxTextFrame largest JSON frame in bytes
     * @param maxBinaryFrame largest binary frame in bytes
     * @param maxConnections clients at a time
     * @param maxSubscriptions registrations and subscriptions a connection may hold
     * @param maxPendingCalls calls a connection may have unanswered
     * @param outboundBytes what may wait for a slow reader
     * @param slowReaderGrace how long it may wait before the connection is closed
     * @param idle connections silent for so long are closed
     * @param handshake how long a TCP client may take to authenticate
     * @param bytesPerSecond what is read of a connection in the long run; 0 for no bound
     * @param messagesPerSecond the same in messages; 0 for no bound
     * @param inbound addresses clients may send and publish to
     * @param outbound addresses clients may register at
     */
    public record Bridge(
            Path socket,
            String host,
            int port,
            int maxTextFrame,
            int maxBinaryFrame,
            int maxConnections,
            int maxSubscriptions,
            int maxPendingCalls,
            int outboundBytes,
            Duration slowReaderGrace,
            Duration idle,
            Duration handshake,
            long bytesPerSecond,
            long messagesPerSecond,
            List<String> inbound,
            List<String> outbound) {
        public Bridge {
            requirePort("bridge.port", port);
            requirePositive("bridge.max_text_frame", maxTextFrame);
            requirePositive("bridge.max_binary_frame", maxBinaryFrame);
            requirePositive("bridge.max_connections", maxConnections);
            requirePositive("bridge.max_subscriptions", maxSubscriptions);
            requirePositive("bridge.max_pending_calls", maxPendingCalls);
            requirePositive("bridge.outbound_bytes", outboundBytes);
            requireNotNegative("bridge.bytes_per_second", bytesPerSecond);
            requireNotNegative("bridge.messages_per_second", messagesPerSecond);
            inbound = List.copyOf(inbound);
            outbound = List.copyOf(outbound);
        }
    }

    /**
     * HTTP: health, metrics and SockJS.
     *
     * @param allowedHosts host names accepted in {@code Host}, without port
     * @param allowedOrigins origins accepted in {@code Origin}; requests without one need none
     */
    public record Web(
            String host, int port, List<String> allowedHosts, List<String> allowedOrigins) {
        public Web {
            requirePort("web.port", port);
            allowedHosts = List.copyOf(allowedHosts);
            allowedOrigins = List.copyOf(allowedOrigins);
        }
    }

    /**
     * The message bus.
     *
     * @param maxQueueSize messages a subscription may have waiting where its channel says nothing
     * @param defaultPriority of a message that names none
     * @param profiles channels that namespaces begin with: {@code name} or {@code namespace=name}
     * @param access who may do what with which channels
     * @param interceptors names of classes that see messages on their way
     * @param journal how messages are kept on the disk
     */
    public record Bus(
            int maxQueueSize,
            long defaultPriority,
            List<String> profiles,
            List<String> access,
            List<String> interceptors,
            Journal journal) {
        public Bus {
            requirePositive("bus.max_queue_size", maxQueueSize);
            profiles = List.copyOf(profiles);
            access = List.copyOf(access);
            interceptors = List.copyOf(interceptors);
        }

        /** No profiles, no rules, no interceptors. */
        public Bus(int maxQueueSize, long defaultPriority) {
            this(
                    maxQueueSize,
                    defaultPriority,
                    List.of(),
                    List.of(),
                    List.of(),
                    new Journal(Duration.ZERO, 0, false));
        }
    }

    /**
     * The message log of each namespace.
     *
     * @param retention how long messages are kept where their channel says nothing; 0 for ever
     * @param maxBytes of one namespace's messages; 0 without bound
     * @param acceptLoss whether damaged journals are opened with what is left of them
     */
    public record Journal(Duration retention, long maxBytes, boolean acceptLoss) {
        public Journal {
            if (retention.isNegative() || maxBytes < 0) {
                throw new IllegalArgumentException(
                        "a journal keeps " + retention + ", " + maxBytes);
            }
        }
    }

    /**
     * Relays to brokers outside.
     *
     * @param file that describes them; there need be none
     * @param maxUnpacked bytes of a message from a broker at most
     * @param confirmTimeout how long a publisher waits for brokers
     */
    public record Relays(Path file, int maxUnpacked, Duration confirmTimeout) {
        public Relays {
            requirePositive("relays.max_unpacked", maxUnpacked);
        }
    }

    /**
     * Vector maths and collections.
     *
     * @param maxDimension largest vector
     * @param maxBytes memory that collections may take together
     * @param threads for large products and scans; 0 means one a core
     * @param exactBelow collections with fewer vectors are searched exactly, others by a graph
     */
    public record Vectors(int maxDimension, long maxBytes, int threads, int exactBelow) {
        public Vectors {
            requirePositive("vectors.max_dimension", maxDimension);
            requirePositive("vectors.max_bytes", maxBytes);
            requireNotNegative("vectors.threads", threads);
            requireNotNegative("vectors.exact_below", exactBelow);
        }
    }

    /**
     * Text embedding.
     *
     * @param model name of the default model
     * @param models folder with further models
     * @param cacheDir folder with what Hugging Face's tools have downloaded
     * @param precision of the model's weights: auto, fp32, fp16 or int8
     * @param workers batches run at a time; 0 means one a core
     * @param threads threads of a batch that is alone; 0 means one a core
     * @param batchTokens tokens in a batch, padding included
     * @param maxQueuedTexts texts waiting before requests are refused
     * @param vectorCacheBytes memory of the vectors kept of texts seen before; 0 keeps none
     * @param memoryLimit of models' networks together; 0 means no limit
     * @param provider what networks run on: cpu, cuda or tensorrt
     * @param device number of the GPU
     * @param deviceMemory most memory taken on the GPU; 0 means no limit
     * @param isolation in which process models run: auto, inprocess or process
     */
    public record Embedding(
            String model,
            Path models,
            Path cacheDir,
            String precision,
            int workers,
            int threads,
            int batchTokens,
            int maxQueuedTexts,
            long vectorCacheBytes,
            long memoryLimit,
            String provider,
            int device,
            long deviceMemory,
            String isolation) {
        public Embedding {
            requireNotNegative("embedding.workers", workers);
            requireNotNegative("embedding.threads", threads);
            requirePositive("embedding.batch_tokens", batchTokens);
            requirePositive("embedding.max_queued_texts", maxQueuedTexts);
        }
    }

    /**
     * When the daemon ends.
     *
     * @param owned end when standard input ends
     * @param idleExit end after so long without a client; zero means never
     * @param drain how long a stop waits for work in progress
     */
    public record Lifecycle(boolean owned, Duration idleExit, Duration drain) {
        public Lifecycle {
            requireNotNegative("lifecycle.idle_exit", idleExit.toMillis());
            requireNotNegative("lifecycle.drain", drain.toMillis());
        }
    }

    /**
     * Joining other nodes.
     *
     * @param enabled join other nodes
     * @param host address that membership and event bus listen at
     * @param port of the membership
     * @param eventPort of the event bus
     * @param publicHost address that others reach this node at; {@code auto} is {@code host}
     * @param publicPort port that they reach its membership at; 0 if it is {@code port}
     * @param publicEventPort port that they reach its event bus at; 0 if it is {@code eventPort}
     * @param join {@code host:port} of nodes to join
     * @param credentials folder of certificate, key, authority and secret
     * @param maxFrame bytes of the largest message between nodes
     */
    public record Cluster(
            boolean enabled,
            String host,
            int port,
            int eventPort,
            String publicHost,
            int publicPort,
            int publicEventPort,
            List<String> join,
            Path credentials,
            int maxFrame) {
        public Cluster {
            requirePort("cluster.port", port);
            requirePort("cluster.event_port", eventPort);
            join = List.copyOf(join);
        }

        /** Whether no other machine reaches this node. */
        public boolean isLoopback() {
            return Loopback.matches(Loopback.withoutBrackets(host));
        }
    }

    /**
     * The log.
     *
     * @param level of the log: error, warn, info, debug, trace
     * @param console whether it goes to standard error, too, once the door is open
     */
    public record Log(String level, boolean console) {}

    private static void requirePort(String key, int port) {
        if (port < 0 || port > 65_535) {
            throw impossible(key, port, "a port between 0 and 65535");
        }
    }

    private static void requirePositive(String key, long value) {
        if (value <= 0) {
            throw impossible(key, value, "positive");
        }
    }

    private static void requireNotNegative(String key, long value) {
        if (value < 0) {
            throw impossible(key, value, "zero or positive");
        }
    }

    private static NeuralCoreException impossible(String key, long value, String expected) {
        return new NeuralCoreException(
                ErrorCode.CONFIG_INVALID,
                "%s is %d; it must be %s.".formatted(key, value, expected));
    }
}
