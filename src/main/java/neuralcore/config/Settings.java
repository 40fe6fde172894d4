package neuralcore.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The table of every key: what it is for, what it may be, what it is by itself.
 *
 * <p>{@code conf/neuralcore.yaml} is {@link #toYaml} of this table, and a test holds the two
 * together.
 */
final class Settings {
    private static final List<Setting<?>> ALL = new ArrayList<>();

    /** In a path's default: the data folder. */
    static final String DATA_FOLDER_MARK = "<data.folder>";

    /** Default of {@code data.folder}: the platform's place for a user's data. */
    static final String USER_DATA_MARK = "<user data>/neuralcore";

    /** Names that older configurations of ATLAS use, and the keys that they mean. */
    static final Map<String, List<String>> ALIASES =
            Map.of(
                    "num_threads", List.of("embedding.threads", "vectors.threads"),
                    "verbose", List.of("log.level"),
                    "models_path", List.of("embedding.models"),
                    "persistence_path", List.of("data.folder"));

    private static final Pattern ADDRESS = Pattern.compile("[^\\s*]{0,255}\\*?");
    private static final Pattern HOST = Pattern.compile("[\\w.:\\[\\]-]{1,255}");
    private static final Pattern ORIGIN = Pattern.compile("https?://[\\w.:\\[\\]-]{1,255}");
    private static final Pattern NODE = Pattern.compile("[\\w.:\\[\\]-]{1,249}:\\d{1,5}");
    private static final Pattern MODEL = Pattern.compile("[\\w.-]{1,128}(/[\\w.-]{1,128})?");
    private static final Pattern PROFILE = Pattern.compile("[^\\s=,]{1,255}(=[^=,]{1,255})?");
    private static final Pattern ACCESS_RULE = Pattern.compile("\\S+\\s+[a-z+*]+\\s+\\S+/\\S+");
    private static final Pattern CLASS_NAME = Pattern.compile("[\\w.$]{1,255}");
    private static final String ADDRESSES = "addresses, or prefixes that end with *";
    private static final int FRAME_MOST = 1 << 30;

    static final Setting<Set<RuntimeConfig.Role>> ROLES =
            add(
                    "roles",
                    ValueType.roles(),
                    "[bus, vectors, embedding, bridge, web, relay]",
                    "Parts that this node runs.");

    static final Setting<Integer> EVENT_LOOPS =
            add(
                    "event_loops",
                    ValueType.integer(1, 64),
                    "1",
                    "Threads of the verticles. More than one pays where many clients keep the"
                            + " first busy; each hand-over between two costs a request 20 to 30"
                            + " microseconds.");

    static final Setting<Path> DATA_FOLDER =
            add(
                    "data.folder",
                    ValueType.path(),
                    USER_DATA_MARK,
                    "Everything the daemon keeps. Also NEURALCORE_HOME. By default"
                            + " $XDG_DATA_HOME/neuralcore or ~/.local/share/neuralcore; on macOS"
                            + " ~/Library/Application Support/neuralcore.");

    static final Setting<Path> BRIDGE_SOCKET =
            add(
                    "bridge.socket",
                    ValueType.socketPath(),
                    DATA_FOLDER_MARK + "/run/daemon.sock",
                    "Unix socket for clients of the same user, at most 100 bytes long.");
    static final Setting<String> BRIDGE_HOST =
            add(
                    "bridge.host",
                    ValueType.loopback(),
                    "127.0.0.1",
                    "Address of the TCP listener. Loopback only.");
    static final Setting<Integer> BRIDGE_PORT =
            add("bridge.port", port(), "0", "TCP port; 0 picks a free one.");
    static final Setting<Long> BRIDGE_MAX_TEXT_FRAME =
            add(
                    "bridge.max_text_frame",
                    ValueType.bytes(1 << 10, FRAME_MOST),
                    "1 MiB",
                    "Largest JSON frame.");
    static final Setting<Long> BRIDGE_MAX_BINARY_FRAME =
            add(
                    "bridge.max_binary_frame",
                    ValueType.bytes(1 << 10, FRAME_MOST),
                    "16 MiB",
                    "Largest binary frame.");
    static final Setting<Integer> BRIDGE_MAX_CONNECTIONS =
            add("bridge.max_connections", count(65_536), "512", "Clients at a time.");
    static final Setting<Integer> BRIDGE_MAX_SUBSCRIPTIONS =
            add(
                    "bridge.max_subscriptions",
                    count(1_000_000),
                    "1000",
                    "Registrations and subscriptions that a connection may hold.");
    static final Setting<Integer> BRIDGE_MAX_PENDING_CALLS =
            add(
                    "bridge.max_pending_calls",
                    count(1_000_000),
                    "1024",
                    "Calls that a connection may have unanswered.");
    static final Setting<Long> BRIDGE_OUTBOUND_BYTES =
            add(
                    "bridge.outbound_bytes",
                    ValueType.bytes(64 << 10, FRAME_MOST),
                    "8 MiB",
                    "What may wait for a slow reader.");
    static final Setting<Duration> BRIDGE_SLOW_READER_GRACE =
            add(
                    "bridge.slow_reader_grace",
                    ValueType.duration(Duration.ofMillis(100), Duration.ofHours(1)),
                    "10s",
                    "How long it may wait before the connection is closed.");
    static final Setting<Duration> BRIDGE_IDLE =
            add(
                    "bridge.idle",
                    ValueType.duration(Duration.ofSeconds(1), Duration.ofDays(1)),
                    "60s",
                    "Connections silent for so long are closed.");
    static final Setting<Duration> BRIDGE_HANDSHAKE =
            add(
                    "bridge.handshake",
                    ValueType.duration(Duration.ofMillis(100), Duration.ofMinutes(5)),
                    "5s",
                    "How long a TCP client may take to authenticate.");
    static final Setting<Long> BRIDGE_BYTES_PER_SECOND =
            add(
                    "bridge.bytes_per_second",
                    ValueType.bytes(0, 1L << 46),
                    "2 GiB",
                    "What is read of one connection in the long run; 0 means without bound. One"
                            + " that sends more waits: nothing is lost and nobody is cut off.");
    static final Setting<Long> BRIDGE_MESSAGES_PER_SECOND =
            add(
                    "bridge.messages_per_second",
                    ValueType.longInteger(0, 1_000_000_000),
                    "2000000",
                    "The same in frames, each message of a batch counted.");
    static final Setting<List<String>> BRIDGE_INBOUND =
            add(
                    "bridge.inbound",
                    ValueType.texts("a list of " + ADDRESSES, ADDRESS),
                    "[neuralcore.system.*, neuralcore.embedding.*, neuralcore.vectors.*,"
                            + " neuralcore.messaging.*, neuralcore.bus.*]",
                    "Addresses that clients may send and publish to; " + ADDRESSES + ".");
    static final Setting<List<String>> BRIDGE_OUTBOUND =
            add(
                    "bridge.outbound",
                    ValueType.texts("a list of " + ADDRESSES, ADDRESS),
                    "[neuralcore.bus.*]",
                    "Addresses that clients may register at; " + ADDRESSES + ".");

    static final Setting<String> WEB_HOST =
            add(
                    "web.host",
                    ValueType.loopback(),
                    "127.0.0.1",
                    "Address of the HTTP listener (health, metrics, SockJS). Loopback only.");
    static final Setting<Integer> WEB_PORT =
            add("web.port", port(), "0", "HTTP port; 0 picks a free one.");
    static final Setting<List<String>> WEB_ALLOWED_HOSTS =
            add(
                    "web.allowed_hosts",
                    ValueType.texts("a list of host names without port", HOST),
                    "[localhost, 127.0.0.1, \"[::1]\"]",
                    "Host names accepted in the Host header, without port.");
    static final Setting<List<String>> WEB_ALLOWED_ORIGINS =
            add(
                    "web.allowed_origins",
                    ValueType.texts("a list of origins such as http://localhost:8080", ORIGIN),
                    "[]",
                    "Origins accepted in the Origin header; requests without one need none.");

    static final Setting<Integer> BUS_MAX_QUEUE_SIZE =
            add(
                    "bus.max_queue_size",
                    count(100_000_000),
                    "1000",
                    "Messages that a subscription may have waiting where its channel says"
                            + " nothing.");
    static final Setting<Long> BUS_DEFAULT_PRIORITY =
            add(
                    "bus.default_priority",
                    ValueType.longInteger(Long.MIN_VALUE, Long.MAX_VALUE),
                    "100",
                    "Priority of a message that names none; lower is sooner.");
    static final Setting<List<String>> BUS_PROFILES =
            add(
                    "bus.profiles",
                    ValueType.texts(
                            "a list of profiles such as atlas, space=atlas or space=file.yaml",
                            PROFILE),
                    "[atlas]",
                    "Channels that namespaces begin with: atlas gives the namespace atlas the"
                            + " channels of ATLAS, other=atlas gives them to the namespace other,"
                            + " other=/path/to/own.yaml those of a file.");
    static final Setting<List<String>> BUS_ACCESS =
            add(
                    "bus.access",
                    ValueType.texts(
                            "a list of rules such as \"role:agent publish+subscribe atlas/llm.**\"",
                            ACCESS_RULE),
                    "[]",
                    "Who may do what (publish, subscribe, replay, admin, *) with which channels"
                            + " (namespace/pattern). Without a rule everybody may do everything;"
                            + " with one, only what a rule allows is allowed.");
    static final Setting<List<String>> BUS_INTERCEPTORS =
            add(
                    "bus.interceptors",
                    ValueType.texts("a list of class names", CLASS_NAME),
                    "[]",
                    "Classes on the daemon's class path that implement"
                            + " neuralcore.bus.Interceptor and see each message on its way.");

    static final Setting<Duration> JOURNAL_RETENTION =
            add(
                    "journal.retention",
                    ValueType.duration(Duration.ZERO, Duration.ofDays(36_500)),
                    "168h",
                    "How long persistent messages are kept where their channel says nothing; 0"
                            + " keeps them for ever. What a durable subscription has not settled"
                            + " stays.");
    static final Setting<Long> JOURNAL_MAX_BYTES =
            add(
                    "journal.max_bytes",
                    ValueType.bytes(0, 1L << 46),
                    "1 GiB",
                    "Persistent messages of one namespace; beyond, the oldest go that nobody waits"
                            + " for. 0 is without bound.");
    static final Setting<Boolean> JOURNAL_ACCEPT_LOSS =
            add(
                    "journal.accept_loss",
                    ValueType.bool(),
                    "false",
                    "Open damaged journals with what is left of them. For one start, by"
                            + " --accept-loss.");

    static final Setting<Path> RELAYS_FILE =
            add(
                    "relays.file",
                    ValueType.path(),
                    DATA_FOLDER_MARK + "/relays.yaml",
                    "Relays to begin with, if this file is there; docs/relays.md says what it holds.");
    static final Setting<Long> RELAYS_MAX_UNPACKED =
            add(
                    "relays.max_unpacked",
                    ValueType.bytes(1 << 10, FRAME_MOST),
                    "16 MiB",
                    "Largest message from a broker, once it is unpacked.");
    static final Setting<Duration> RELAYS_CONFIRM_TIMEOUT =
            add(
                    "relays.confirm_timeout",
                    ValueType.duration(Duration.ofMillis(1), Duration.ofHours(1)),
                    "30 s",
                    "How long a publish that is confirmed when relayed waits for the broker.");

    static final Setting<Integer> VECTORS_MAX_DIMENSION =
            add("vectors.max_dimension", count(1 << 20), "8192", "Largest vector.");
    static final Setting<Long> VECTORS_MAX_BYTES =
            add(
                    "vectors.max_bytes",
                    ValueType.bytes(1 << 20, 1L << 46),
                    "4 GiB",
                    "Memory that collections may take together.");
    static final Setting<Integer> VECTORS_THREADS =
            add(
                    "vectors.threads",
                    ValueType.integer(0, 1_024),
                    "0",
                    "Threads for large products and scans; 0 means one a core.");
    static final Setting<Integer> VECTORS_EXACT_BELOW =
            add(
                    "vectors.exact_below",
                    ValueType.integer(0, Integer.MAX_VALUE),
                    "10000",
                    "Collections with fewer vectors are searched exactly; for larger ones a graph is"
                            + " built in the background, and searched once it is there.");

    static final Setting<String> EMBEDDING_MODEL =
            add(
                    "embedding.model",
                    ValueType.text("the name of a model such as all-MiniLM-L6-v2", MODEL),
                    "all-MiniLM-L6-v2",
                    "Model used where a request names none.");
    static final Setting<Path> EMBEDDING_MODELS =
            add(
                    "embedding.models",
                    ValueType.path(),
                    DATA_FOLDER_MARK + "/models",
                    "Folder with further models.");
    static final Setting<Path> EMBEDDING_CACHE_DIR =
            add(
                    "embedding.cache_dir",
                    ValueType.path(),
                    "~/.cache/huggingface/hub",
                    "Folder in which Hugging Face's tools keep what they have downloaded; models are"
                            + " looked for there, too.");
    static final Setting<String> EMBEDDING_PRECISION =
            add(
                    "embedding.precision",
                    ValueType.choice(List.of("auto", "fp32", "fp16", "int8")),
                    "auto",
                    "Number format of the model's weights; auto is int8 where the processor is fast"
                            + " at it and the vectors are right, else fp32.");
    static final Setting<Integer> EMBEDDING_WORKERS =
            add(
                    "embedding.workers",
                    ValueType.integer(0, 256),
                    "0",
                    "Batches run at a time; 0 means one a core.");
    static final Setting<Integer> EMBEDDING_THREADS =
            add(
                    "embedding.threads",
                    ValueType.integer(0, 1_024),
                    "0",
                    "Threads of a short batch that is alone; 0 means one a core, but one in int8 where the"
                            + " processor multiplies it fast. Batches side by side have one each.");
    static final Setting<Integer> EMBEDDING_BATCH_TOKENS =
            add(
                    "embedding.batch_tokens",
                    count(1 << 20),
                    "256",
                    "Tokens in a batch, padding included.");
    static final Setting<Integer> EMBEDDING_MAX_QUEUED_TEXTS =
            add(
                    "embedding.max_queued_texts",
                    count(100_000_000),
                    "100000",
                    "Texts waiting before requests are refused.");
    static final Setting<Long> EMBEDDING_VECTOR_CACHE =
            add(
                    "embedding.vector_cache",
                    ValueType.bytes(0, 1L << 40),
                    "32 MiB",
                    "Memory, for each model, of vectors kept of texts seen before; 0 keeps none.");
    static final Setting<Long> EMBEDDING_MEMORY_LIMIT =
            add(
                    "embedding.memory_limit",
                    ValueType.bytes(0, 1L << 46),
                    "2 GiB",
                    "Memory of loaded models together, by the size of their networks; beyond it those"
                            + " not used for longest are unloaded. 0 means no limit.");
    static final Setting<String> EMBEDDING_PROVIDER =
            add(
                    "embedding.provider",
                    ValueType.choice(List.of("cpu", "cuda", "tensorrt")),
                    "cpu",
                    "What networks run on. Without ONNX Runtime's library for it, the processor.");
    static final Setting<Integer> EMBEDDING_DEVICE =
            add("embedding.device", ValueType.integer(0, 1_023), "0", "Number of the GPU.");
    static final Setting<Long> EMBEDDING_DEVICE_MEMORY =
            add(
                    "embedding.device_memory",
                    ValueType.bytes(0, 1L << 46),
                    "0",
                    "Most memory taken on the GPU; 0 means no limit.");
    static final Setting<String> EMBEDDING_ISOLATION =
            add(
                    "embedding.isolation",
                    ValueType.choice(List.of("auto", "inprocess", "process")),
                    "auto",
                    "Where models run: auto is in the daemon, after one that is not the program's own"
                            + " was tried out in a process that is thrown away; process is each in one"
                            + " of its own; inprocess is in the daemon without a try.");

    static final Setting<Boolean> LIFECYCLE_OWNED =
            add(
                    "lifecycle.owned",
                    ValueType.bool(),
                    "false",
                    "End when standard input ends, that is, with the process that started us.");
    static final Setting<Duration> LIFECYCLE_IDLE_EXIT =
            add(
                    "lifecycle.idle_exit",
                    ValueType.duration(Duration.ZERO, Duration.ofDays(365)),
                    "0",
                    "End after so long without a client; 0 means never.");
    static final Setting<Duration> LIFECYCLE_DRAIN =
            add(
                    "lifecycle.drain",
                    ValueType.duration(Duration.ZERO, Duration.ofHours(1)),
                    "10s",
                    "How long a stop waits for work in progress.");

    static final Setting<Boolean> CLUSTER_ENABLED =
            add("cluster.enabled", ValueType.bool(), "false", "Join other nodes.");
    static final Setting<String> CLUSTER_HOST =
            add(
                    "cluster.host",
                    ValueType.text("a host name or address", HOST),
                    "127.0.0.1",
                    "Address that the cluster's two ports listen at. Beyond loopback it takes the"
                            + " files of cluster.credentials.");
    static final Setting<Integer> CLUSTER_PORT =
            add("cluster.port", port(), "5701", "Port of the cluster's membership; 0 picks one.");
    static final Setting<Integer> CLUSTER_EVENT_PORT =
            add(
                    "cluster.event_port",
                    port(),
                    "0",
                    "Port of the event bus between nodes; 0 picks a free one.");
    static final Setting<String> CLUSTER_PUBLIC_HOST =
            add(
                    "cluster.public_host",
                    ValueType.text("a host name or address, or auto", HOST),
                    "auto",
                    "Address that other nodes reach this one at; auto is cluster.host.");
    static final Setting<Integer> CLUSTER_PUBLIC_PORT =
            add(
                    "cluster.public_port",
                    port(),
                    "0",
                    "Port that they reach its membership at, where it is not cluster.port.");
    static final Setting<Integer> CLUSTER_PUBLIC_EVENT_PORT =
            add(
                    "cluster.public_event_port",
                    port(),
                    "0",
                    "Port that they reach its event bus at, where it is not cluster.event_port.");
    static final Setting<List<String>> CLUSTER_JOIN =
            add(
                    "cluster.join",
                    ValueType.texts("a list of host:port", NODE),
                    "[]",
                    "Nodes to join, as host:port.");
    static final Setting<Path> CLUSTER_CREDENTIALS =
            add(
                    "cluster.credentials",
                    ValueType.path(),
                    USER_DATA_MARK + "/cluster",
                    "Folder with ca.crt, tls.crt, tls.key and secret, by which nodes know each"
                            + " other; neuralcore cluster certificates makes them. The secret may be"
                            + " in NEURALCORE_CLUSTER_SECRET instead. On loopback they are made if"
                            + " they are not there.");
    static final Setting<Long> CLUSTER_MAX_FRAME =
            add(
                    "cluster.max_frame",
                    ValueType.bytes(1 << 20, FRAME_MOST),
                    "64 MiB",
                    "Largest message between nodes.");

    static final Setting<String> LOG_LEVEL =
            add(
                    "log.level",
                    ValueType.choice(List.of("error", "warn", "info", "debug", "trace")),
                    "info",
                    "Least severe messages to log: error, warn, info, debug or trace.");
    static final Setting<Boolean> LOG_CONSOLE =
            add(
                    "log.console",
                    ValueType.bool(),
                    "true",
                    "Whether the log goes to standard error, too, once the door is open. Where"
                            + " that is a file, nothing would bound it; the log's own is rotated.");

    private Settings() {}

    static List<Setting<?>> all() {
        return Collections.unmodifiableList(ALL);
    }

    static boolean isKey(String key) {
        return ALL.stream().anyMatch(setting -> setting.key().equals(key));
    }

    static boolean isSection(String name) {
        return ALL.stream().anyMatch(setting -> setting.section().equals(name));
    }

    /** The key or alias that is most like what somebody wrote. */
    static String nearest(String key) {
        List<String> names = new ArrayList<>();
        ALL.forEach(setting -> names.add(setting.key()));
        names.addAll(ALIASES.keySet().stream().sorted().toList());
        return Nearest.of(key.toLowerCase(Locale.ROOT).replace('-', '_'), names);
    }

    /** The table as a configuration file in which every key is commented out. */
    static String toYaml() {
        StringBuilder yaml = new StringBuilder();
        yaml.append(
                """
                # Every setting of the daemon, with its default. To change one, remove the # and the blank
                # after it before the section's name and before the key. What is set here gives way to
                # the environment (bridge.port is NEURALCORE_BRIDGE_PORT) and to the command line (--set
                # bridge.port=7000). `neuralcore serve --print-config` shows what holds, and why.
                # Times carry a unit (ms, s, m, h, d), sizes may (KiB, MiB, GiB). A relative path is
                # meant from this file's folder.
                """);
        String section = "";
        for (Setting<?> setting : ALL) {
            yaml.append('\n');
            if (!setting.section().equals(section)) {
                section = setting.section();
                yaml.append("# ").append(section).append(":\n");
            }
            String indent = section.isEmpty() ? "" : "  ";
            for (String line : wrapped(setting)) {
                yaml.append("#").append(indent).append(" # ").append(line).append('\n');
            }
            yaml.append("# ").append(indent).append(setting.name()).append(": ");
            yaml.append(setting.standard()).append('\n');
        }
        return yaml.toString();
    }

    private static List<String> wrapped(Setting<?> setting) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : setting.description().split(" ")) {
            if (line.length() + word.length() > 84) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }

    private static ValueType<Integer> port() {
        return ValueType.integer(0, 65_535);
    }

    private static ValueType<Integer> count(int most) {
        return ValueType.integer(1, most);
    }

    private static <T> Setting<T> add(
            String key, ValueType<T> type, String standard, String description) {
        Setting<T> setting = new Setting<>(key, type, standard, description);
        ALL.add(setting);
        return setting;
    }
}
