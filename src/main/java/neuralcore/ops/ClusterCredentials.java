package neuralcore.ops;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import neuralcore.cluster.Certificates;
import neuralcore.cluster.ClusterSecret;
import neuralcore.config.RuntimeConfig;
import neuralcore.mesh.MeshOptions;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * The files by which nodes of a cluster know each other: {@code ca.crt}, {@code tls.crt} and {@code
 * tls.key}, named as Kubernetes has them, and {@code secret}. Whoever can read the key or the
 * secret can be a node, so both must be the user's alone.
 *
 * <p>On loopback they are made when they are first needed: all nodes of one user share them, and
 * other users of the machine are kept out.
 */
final class ClusterCredentials {
    static final String AUTHORITY = "ca.crt";
    static final String AUTHORITY_KEY = "ca.key";
    static final String CERTIFICATE = "tls.crt";
    static final String KEY = "tls.key";
    static final String SECRET = "secret";

    /** Where the secret may be instead of its file. */
    static final String VARIABLE = "NEURALCORE_CLUSTER_SECRET";

    static final Duration AUTHORITY_LASTS = Duration.ofDays(10 * 365);
    static final Duration NODE_LASTS = Duration.ofDays(2 * 365);

    private ClusterCredentials() {}

    /** What a node shows and knows. */
    record Loaded(MeshOptions.Tls tls, ClusterSecret secret) {}

    /**
     * Reads them, and on loopback makes them if there is none.
     *
     * @throws NeuralCoreException {@link ErrorCode#CONFIG_INVALID} with what is missing or open to
     *     others
     */
    static Loaded load(RuntimeConfig.Cluster cluster, Map<String, String> environment) {
        Path folder = cluster.credentials();
        try {
            if (cluster.isLoopback() && !Files.exists(folder.resolve(CERTIFICATE))) {
                make(folder);
            }
            MeshOptions.Tls tls =
                    new MeshOptions.Tls(
                            read(folder.resolve(AUTHORITY), false),
                            read(folder.resolve(CERTIFICATE), false),
                            read(folder.resolve(KEY), true));
            String given = environment.get(VARIABLE);
            String secret = given == null ? read(folder.resolve(SECRET), true) : given;
            return new Loaded(tls, new ClusterSecret(strong(secret.strip())));
        } catch (IOException e) {
            throw invalid("%s cannot be used: %s".formatted(folder, e), e);
        }
    }

    private static String strong(String secret) {
        if (secret.length() < ClusterSecret.FEWEST_CHARACTERS) {
            throw invalid(
                    "The cluster's secret has %d characters; it must have %d at least"
                            .formatted(secret.length(), ClusterSecret.FEWEST_CHARACTERS),
                    null);
        }
        return secret;
    }

    private static String read(Path file, boolean confidential) throws IOException {
        if (!Files.isReadable(file)) {
            throw invalid(
                    ("%s is missing or cannot be read. Beyond loopback nodes show each other"
                                    + " certificates and know a secret (%s, or the variable %s): make them"
                                    + " with 'neuralcore cluster certificates' and name their folder in"
                                    + " cluster.credentials")
                            .formatted(file, SECRET, VARIABLE),
                    null);
        }
        if (confidential && PrivateFiles.isReadableByOthers(file)) {
            throw invalid(
                    "Others can read %s (mode %s): chmod 600 '%s'"
                            .formatted(file, PrivateFiles.mode(file), file),
                    null);
        }
        return Files.readString(file);
    }

    /** Several nodes may start at once: the first whose folder is in place has made them. */
    private static void make(Path folder) throws IOException {
        Path beside =
                folder.resolveSibling(folder.getFileName() + "." + ProcessHandle.current().pid());
        Instant now = Instant.now();
        Certificates.Made authority =
                Certificates.authority("neuralcore of this user", now, AUTHORITY_LASTS);
        Certificates.Made node =
                Certificates.node(
                        authority, "node", List.of("localhost", "127.0.0.1"), now, AUTHORITY_LASTS);
        write(beside, authority, node, ClusterSecret.generate());
        try {
            Files.move(beside, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileSystemException e) {
            delete(beside);
            if (!Files.exists(folder.resolve(CERTIFICATE))) {
                throw e;
            }
        }
    }

    /** Puts a node's files into a folder of their own. */
    static void write(
            Path folder, Certificates.Made authority, Certificates.Made node, String secret)
            throws IOException {
        PrivateFiles.createFolder(folder);
        put(folder.resolve(AUTHORITY), authority.certificatePem());
        put(folder.resolve(KEY), node.keyPem());
        put(folder.resolve(SECRET), secret + "\n");
        put(folder.resolve(CERTIFICATE), node.certificatePem());
    }

    static void put(Path file, String text) throws IOException {
        PrivateFiles.replace(file, text.getBytes(StandardCharsets.UTF_8));
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            files.forEach(
                    file -> {
                        try {
                            Files.delete(file);
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    });
        }
        Files.delete(folder);
    }

    private static NeuralCoreException invalid(String what, @Nullable Exception cause) {
        NeuralCoreException exception =
                new NeuralCoreException(ErrorCode.CONFIG_INVALID, what + ".");
        if (cause != null) {
            exception.initCause(cause);
        }
        return exception;
    }
}
