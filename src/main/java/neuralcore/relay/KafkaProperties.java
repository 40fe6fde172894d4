package neuralcore.relay;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import javax.security.auth.login.LoginException;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * What Kafka's clients are told. Most of their some hundred properties are not for a relay's
 * configuration: they would name classes to load, files and addresses to read, or take away what is
 * promised. Those that only tune are on a list, and pass.
 */
public final class KafkaProperties {
    private static final Set<String> ALL =
            Set.of(
                    "client.id",
                    "connections.max.idle.ms",
                    "metadata.max.age.ms",
                    "receive.buffer.bytes",
                    "send.buffer.bytes",
                    "socket.connection.setup.timeout.max.ms",
                    "socket.connection.setup.timeout.ms",
                    "ssl.cipher.suites",
                    "ssl.enabled.protocols");
    private static final Set<String> PRODUCER =
            Set.of(
                    "batch.size",
                    "buffer.memory",
                    "compression.type",
                    "linger.ms",
                    "max.in.flight.requests.per.connection",
                    "max.request.size");
    private static final Set<String> CONSUMER =
            Set.of(
                    "client.rack",
                    "fetch.max.bytes",
                    "fetch.max.wait.ms",
                    "fetch.min.bytes",
                    "group.instance.id",
                    "heartbeat.interval.ms",
                    "max.partition.fetch.bytes",
                    "max.poll.interval.ms",
                    "max.poll.records",
                    "session.timeout.ms");

    /** The largest message that is tried; what a broker takes is its own setting. */
    private static final int MOST_BYTES = 16 << 20;

    private static final long LONGEST_BACKOFF_MILLIS = 100;

    private static final String JAVA = "org.apache.kafka.common.";

    private final RelayConfig config;
    private final KafkaSettings settings;
    private final Map<String, String> variables;

    /**
     * @param variables of the environment
     */
    public KafkaProperties(
            RelayConfig config, KafkaSettings settings, Map<String, String> variables) {
        this.config = config;
        this.settings = settings;
        this.variables = variables;
    }

    static void check(String name, @Nullable Object value) {
        if (!ALL.contains(name) && !PRODUCER.contains(name) && !CONSUMER.contains(name)) {
            Set<String> known = new TreeSet<>(ALL);
            known.addAll(PRODUCER);
            known.addAll(CONSUMER);
            throw NeuralCoreException.invalid(
                    "A relay has the Kafka property '%s', which is not for a relay to set; it may set %s."
                            .formatted(name, known));
        }
        if (!(value instanceof String) && !(value instanceof Number)) {
            throw NeuralCoreException.invalid(
                    "A relay has the Kafka property '%s' = %s; it must be a text or a number."
                            .formatted(name, value));
        }
    }

    /** For a client that only asks. */
    public Map<String, Object> admin() {
        Map<String, Object> map = common();
        map.put("default.api.timeout.ms", millis(config.answerMillis()));
        allowed(map, Set.of());
        return map;
    }

    /**
     * @param durable whether what it sends is never given up
     */
    public Map<String, Object> producer(boolean durable) {
        Map<String, Object> map = common();
        map.put("acks", "all");
        map.put("enable.idempotence", "true");
        map.put("max.in.flight.requests.per.connection", "5");
        map.put("linger.ms", millis(config.batchMillis()));
        map.put("batch.size", Integer.toString(256 << 10));
        map.put("max.request.size", Integer.toString(MOST_BYTES));
        map.put("max.block.ms", millis(config.answerMillis()));
        map.put("key.serializer", JAVA + "serialization.ByteArraySerializer");
        map.put("value.serializer", JAVA + "serialization.ByteArraySerializer");
        allowed(map, PRODUCER);
        map.put(
                "delivery.timeout.ms",
                durable
                        ? Integer.toString(Integer.MAX_VALUE)
                        : millis(5 * config.answerMillis() + config.batchMillis()));
        return map;
    }

    public Map<String, Object> consumer(String group) {
        Map<String, Object> map = common();
        map.put("group.id", group);
        map.put("enable.auto.commit", "false");
        // Where there is no place to go on from, we choose it ourselves, once for the group.
        map.put("auto.offset.reset", "none");
        map.put("isolation.level", "read_committed");
        map.put("default.api.timeout.ms", millis(Math.max(5_000, config.answerMillis())));
        map.put("session.timeout.ms", "10000");
        map.put("heartbeat.interval.ms", "1000");
        map.put("fetch.max.wait.ms", millis(Math.min(500, config.answerMillis() / 2)));
        map.put("max.partition.fetch.bytes", Integer.toString(4 << 20));
        map.put("fetch.max.bytes", Integer.toString(MOST_BYTES));
        map.put("max.poll.records", Integer.toString(4 * config.batchSize()));
        map.put("key.deserializer", JAVA + "serialization.ByteArrayDeserializer");
        map.put("value.deserializer", JAVA + "serialization.ByteArrayDeserializer");
        allowed(map, CONSUMER);
        return map;
    }

    private void allowed(Map<String, Object> to, Set<String> ofThisClient) {
        settings.properties()
                .forEach(
                        (name, value) -> {
                            if (ALL.contains(name) || ofThisClient.contains(name)) {
                                to.put(name, value);
                            }
                        });
    }

    private Map<String, Object> common() {
        Map<String, Object> map = new TreeMap<>();
        map.put("bootstrap.servers", config.url());
        map.put("request.timeout.ms", millis(config.answerMillis()));
        // Of the time that a cluster is back and not known to be, this is a part alone.
        String longest = millis(Math.min(LONGEST_BACKOFF_MILLIS, config.reconnectMillis()));
        map.put("reconnect.backoff.ms", millis(Math.min(50, config.reconnectMillis())));
        map.put("reconnect.backoff.max.ms", longest);
        map.put("retry.backoff.ms", millis(Math.min(50, config.reconnectMillis())));
        map.put("retry.backoff.max.ms", longest);
        // When all brokers that it knows are gone, it begins again with those it was told of.
        map.put("metadata.recovery.strategy", "rebootstrap");
        map.put("enable.metrics.push", "false");
        map.putAll(security());
        return map;
    }

    private static String millis(long millis) {
        return Long.toString(millis);
    }

    private Map<String, String> security() {
        Map<String, String> map = new HashMap<>();
        boolean sasl = settings.mechanism() != KafkaSettings.Mechanism.NONE;
        map.put(
                "security.protocol",
                sasl
                        ? settings.tls() ? "SASL_SSL" : "SASL_PLAINTEXT"
                        : settings.tls() ? "SSL" : "PLAINTEXT");
        if (settings.ca() != null) {
            map.put("ssl.truststore.type", "PEM");
            map.put("ssl.truststore.certificates", pem(settings.ca()));
        }
        if (settings.certificate() != null && settings.key() != null) {
            map.put("ssl.keystore.type", "PEM");
            map.put("ssl.keystore.certificate.chain", pem(settings.certificate()));
            map.put("ssl.keystore.key", pem(settings.key()));
        }
        if (sasl) {
            map.put("sasl.mechanism", settings.mechanism().word());
            map.put("sasl.jaas.config", login(map));
        }
        return map;
    }

    /** The login module's line, and what else it needs. */
    private String login(Map<String, String> map) {
        return switch (settings.mechanism()) {
            case NONE -> throw new IllegalStateException("nobody logs in");
            case PLAIN -> passwordModule("plain.PlainLoginModule");
            case SCRAM_SHA_256, SCRAM_SHA_512 -> passwordModule("scram.ScramLoginModule");
            case OAUTHBEARER -> {
                map.put("sasl.login.callback.handler.class", "verticles.relay.KafkaToken");
                yield module(JAVA + "security.oauthbearer.OAuthBearerLoginModule", tokenOptions());
            }
            case GSSAPI -> {
                if (config.user().isEmpty()) {
                    throw new NeuralCoreException(
                            ErrorCode.CONFIG_INVALID,
                            "A relay with 'sasl: gssapi' needs the principal as its 'user', such as shop@EXAMPLE.COM.");
                }
                map.put("sasl.kerberos.service.name", settings.service());
                Map<String, String> options = new TreeMap<>();
                options.put("useKeyTab", "true");
                options.put("storeKey", "true");
                options.put("doNotPrompt", "true");
                options.put("principal", config.user());
                if (settings.keytab() != null) {
                    options.put("keyTab", settings.keytab());
                }
                yield module("com.sun.security.auth.module.Krb5LoginModule", options);
            }
        };
    }

    /** Why a client failed, down to the first cause, and what to do where Kafka does not say it. */
    public String reason(Throwable error) {
        String first = String.valueOf(error.getMessage());
        String last = first;
        boolean login = false;
        for (Throwable each = error; each != null; each = each.getCause()) {
            login |= each instanceof LoginException;
            last = each.getMessage() == null ? last : each.getMessage();
        }
        String all = last.equals(first) ? first : first + ": " + last;
        return login && settings.mechanism() == KafkaSettings.Mechanism.GSSAPI
                ? all + ". " + advice()
                : all;
    }

    private String advice() {
        return "Kerberos does not let '%1$s' in by %2$s: 'klist -kt' shows whose keys are in that file, 'kinit -kt' tries them; the realm's servers are in /etc/krb5.conf, or where -Djava.security.krb5.conf says"
                .formatted(
                        config.user(),
                        settings.keytab() == null
                                ? "the keytab that is the machine's own"
                                : "the keytab " + settings.keytab());
    }

    private String passwordModule(String name) {
        String password = config.password().read(variables);
        if (config.user().isEmpty() || password == null) {
            throw new NeuralCoreException(
                    ErrorCode.CONFIG_INVALID,
                    "A relay with 'sasl' needs a 'user' and a password by 'password_env' or 'password_file'.");
        }
        return module(
                JAVA + "security." + name, Map.of("username", config.user(), "password", password));
    }

    /** Where the token is: read by {@code KafkaToken} whenever Kafka's client wants one. */
    private Map<String, String> tokenOptions() {
        Secret token = config.password();
        Map<String, String> options = new TreeMap<>();
        if (token.environment() != null) {
            options.put("token_env", token.environment());
        }
        if (token.file() != null) {
            options.put("token_file", token.file());
        }
        if (token.value() != null) {
            options.put("token", token.value());
        }
        return options;
    }

    private static String module(String name, Map<String, String> options) {
        StringBuilder line = new StringBuilder(name).append(" required");
        options.forEach(
                (key, value) ->
                        line.append(' ')
                                .append(key)
                                .append("=\"")
                                .append(value.replace("\\", "\\\\").replace("\"", "\\\""))
                                .append('"'));
        return line.append(';').toString();
    }

    private static String pem(String file) {
        try {
            List<String> lines = Files.readAllLines(Path.of(file));
            return String.join("\n", lines);
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.CONFIG_INVALID, "%s cannot be read: %s".formatted(file, e), e);
        }
    }
}
