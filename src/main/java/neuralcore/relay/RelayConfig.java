package neuralcore.relay;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import neuralcore.relay.schema.SchemaSettings;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * One relay: a broker, how to reach it, and what goes which way.
 *
 * @param url of the broker, without a password; of Kafka the brokers to begin with
 * @param user to log in as; empty for the broker's default user
 * @param batchSize messages sent together at most
 * @param batchMillis how long a message waits for others while earlier ones are unanswered
 * @param window messages that may be sent and unanswered, for each route
 * @param answerMillis a broker that takes longer to answer counts as gone
 * @param reconnectMillis longest wait between two attempts to connect
 * @param reconnectAttempts failed ones in a row before it gives up; 0 for never
 * @param dictionaries files of zstd's dictionaries; the first packs, all unpack
 * @param schemas which messages must be as a schema says
 * @param redis how a Redis server is found and trusted, besides its URL
 */
public record RelayConfig(
        String name,
        Broker broker,
        String url,
        String user,
        Secret password,
        boolean enabled,
        int batchSize,
        long batchMillis,
        int window,
        long answerMillis,
        long reconnectMillis,
        int reconnectAttempts,
        String namespace,
        String prefix,
        List<Path> dictionaries,
        SchemaSettings schemas,
        RedisSettings redis,
        List<Route> routes,
        @Nullable KafkaSettings kafka) {

    /** What kind of broker a relay speaks to. */
    public enum Broker {
        REDIS,
        KAFKA
    }

    public RelayConfig {
        if (!name.matches("[\\w.-]{1,64}")) {
            throw NeuralCoreException.invalid(
                    "A relay's name is '%s'; it must be 1 to 64 letters, digits, '_', '-' or '.'."
                            .formatted(name));
        }
        for (Route route : routes) {
            // The nodes of a cluster have no transactions together.
            if (redis.cluster() && route.target().name().contains(Target.CHANNEL_MARK)) {
                throw NeuralCoreException.invalid(
                        "Relay '%s' to a cluster has a route to '%s'; make a route for each channel."
                                .formatted(name, route.target().name()));
            }
        }
        dictionaries = List.copyOf(dictionaries);
        routes = List.copyOf(routes);
        for (Route route : routes) {
            if (route.target().broker() != broker) {
                throw NeuralCoreException.invalid(
                        "Relay '%s' is to %s and has no place '%s' of %s."
                                .formatted(
                                        name,
                                        word(broker),
                                        route.target().name(),
                                        word(route.target().broker())));
            }
        }
    }

    public static RelayConfig of(Map<String, @Nullable Object> values) {
        Given given = new Given("A relay", values);
        String name = given.text("name");
        Broker usual =
                given.optionalText("bootstrap_servers") == null ? Broker.REDIS : Broker.KAFKA;
        Broker broker = given.choice("broker", Broker.class, usual);
        String namespace = given.text("namespace", "default");
        String prefix = given.text("prefix", "");
        List<Route> routes = new ArrayList<>();
        for (Object item : given.list("routes")) {
            routes.add(
                    route(
                            item,
                            "Relay '%s', route %d".formatted(name, routes.size() + 1),
                            namespace,
                            prefix));
        }
        // A round of Kafka's consumers ends with a commit, and so is to be worth one.
        int usualSize = broker == Broker.KAFKA ? 2_048 : 512;
        int batchSize = given.integer("batch_size", usualSize, 1, 4_096);
        RelayConfig config =
                new RelayConfig(
                        name,
                        broker,
                        switch (broker) {
                            case REDIS -> RedisSettings.url("url", given.text("url"));
                            case KAFKA -> KafkaSettings.servers(given.text("bootstrap_servers"));
                        },
                        given.text("user", ""),
                        new Secret(
                                given.optionalText("password_env"),
                                given.optionalText("password_file"),
                                given.optionalText("password")),
                        given.bool("enabled", true),
                        batchSize,
                        given.millis("batch_timeout", 1, 0),
                        given.integer("window", 8 * batchSize, batchSize, 1_000_000),
                        given.millis("answer_timeout", 2_000, 10),
                        given.millis("reconnect_max", 400, 10),
                        given.integer("max_reconnect_attempts", 0, 0, Integer.MAX_VALUE),
                        namespace,
                        prefix,
                        given.paths("dictionaries"),
                        SchemaParams.of(given.object("schemas")),
                        broker == Broker.REDIS ? RedisSettings.of(given) : RedisSettings.PLAIN,
                        routes,
                        broker == Broker.KAFKA ? KafkaSettings.of(given) : null);
        given.done();
        return config;
    }

    private static Route route(Object item, String which, String namespace, String prefix) {
        if (!(item instanceof Map<?, ?> map)) {
            throw NeuralCoreException.invalid(
                    "%s is '%s'; it must be an object.".formatted(which, item));
        }
        try {
            return RouteParams.of(Given.typed(map), namespace, prefix);
        } catch (NeuralCoreException e) {
            throw new NeuralCoreException(e.code(), which + ": " + e.getMessage(), e);
        }
    }

    public RelayConfig with(Route route) {
        List<Route> more = new ArrayList<>(routes);
        more.add(route);
        return new RelayConfig(
                name,
                broker,
                url,
                user,
                password,
                enabled,
                batchSize,
                batchMillis,
                window,
                answerMillis,
                reconnectMillis,
                reconnectAttempts,
                namespace,
                prefix,
                dictionaries,
                schemas,
                redis,
                more,
                kafka);
    }

    /** The broker's kind as users write it. */
    public String brokerWord() {
        return word(broker);
    }

    private static String word(Broker broker) {
        return broker.name().toLowerCase(Locale.ROOT);
    }
}
