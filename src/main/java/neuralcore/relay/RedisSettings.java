package neuralcore.relay;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * How a Redis server is found and trusted, besides its URL.
 *
 * @param sentinels URLs of sentinels that know the server; empty for the URL's server itself
 * @param master what the sentinels call the server
 * @param cluster whether the server is of a Redis Cluster
 * @param nodes URLs of others of the cluster to begin with
 * @param caFile PEM file of those whose certificates are trusted; null for the JVM's own
 * @param certificateFile PEM file of our certificate, where the server wants one
 * @param keyFile PEM file of its key
 * @param verifyHost whether the server's certificate must be for the host's name
 */
public record RedisSettings(
        List<String> sentinels,
        String master,
        boolean cluster,
        List<String> nodes,
        @Nullable String caFile,
        @Nullable String certificateFile,
        @Nullable String keyFile,
        boolean verifyHost) {

    /** One server as it stands in its URL. */
    public static final RedisSettings PLAIN =
            new RedisSettings(List.of(), "", false, List.of(), null, null, null, true);

    public RedisSettings {
        sentinels = List.copyOf(sentinels);
        nodes = List.copyOf(nodes);
        if (sentinels.isEmpty() != master.isEmpty()) {
            throw NeuralCoreException.invalid(
                    "A relay needs both of 'sentinels' and 'master', what they call the server, or neither.");
        }
        if (cluster && !sentinels.isEmpty()) {
            throw NeuralCoreException.invalid("A relay has 'cluster' and 'sentinels'; choose one.");
        }
        if ((certificateFile == null) != (keyFile == null)) {
            throw NeuralCoreException.invalid(
                    "A relay needs both of 'certificate_file' and 'key_file', or neither.");
        }
    }

    static RedisSettings of(Given given) {
        return new RedisSettings(
                urls(given, "sentinels"),
                given.text("master", ""),
                given.bool("cluster", false),
                urls(given, "nodes"),
                given.optionalText("ca_file"),
                given.optionalText("certificate_file"),
                given.optionalText("key_file"),
                given.bool("verify_host", true));
    }

    private static List<String> urls(Given given, String key) {
        List<String> urls = new ArrayList<>();
        for (Object item : given.list(key)) {
            urls.add(url(key, String.valueOf(item)));
        }
        return urls;
    }

    /** What stands in a URL is shown in logs and lists; a password must not. */
    static String url(String key, String url) {
        URI uri;
        try {
            uri = URI.create(url);
        } catch (IllegalArgumentException e) {
            throw NeuralCoreException.invalid("A relay's '%s' is not a URL.".formatted(key));
        }
        if (!("redis".equals(uri.getScheme()) || "rediss".equals(uri.getScheme()))
                || uri.getHost() == null) {
            throw NeuralCoreException.invalid(
                    "A relay's '%s' must be redis://host:port/database, or rediss:// with TLS."
                            .formatted(key));
        }
        if (uri.getUserInfo() != null) {
            throw NeuralCoreException.invalid(
                    "A relay's '%s' carries a user or password: use 'user' and 'password_env' or 'password_file', which are not shown."
                            .formatted(key));
        }
        return url;
    }
}
