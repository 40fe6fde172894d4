package neuralcore.relay;

import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
            if (!(item instanceof Map<?, ?> map)) {
                throw NeuralCoreException.invalid("A relay's 'routes' must be a list of objects.");
            }
            routes.add(RouteParams.of(Given.typed(map), namespace, prefix));
        }
        // A round of Kafka's consumers ends with a commit, and so is to be worth one.
        int usualSize = broker == Broker.KAFKA ? 2_048 : 512;
        int batchSize = given.integer("batch_size", usualSize, 1, 4_096);
        RelayConfig config =
                new RelayConfig(
                        name,
                        broker,
                        switch (broker) {
                            case REDIS -> checked(given.text("url"));
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
                        routes,
                        broker == Broker.KAFKA ? KafkaSettings.of(given) : null);
        given.done();
        return config;
    }

    /** What stands in the URL is shown in logs and lists; a password must not. */
    private static String checked(String url) {
        URI uri;
        try {
            uri = URI.create(url);
        } catch (IllegalArgumentException e) {
            throw NeuralCoreException.invalid("A relay's 'url' is not a URL.");
        }
        if (!"redis".equals(uri.getScheme()) || uri.getHost() == null) {
            throw NeuralCoreException.invalid(
                    "A relay's 'url' must be redis://host:port/database; TLS is not supported yet.");
        }
        if (uri.getUserInfo() != null) {
            throw NeuralCoreException.invalid(
                    "A relay's 'url' carries a user or password: use 'user' and 'password_env' or 'password_file', which are not shown.");
        }
        return url;
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
