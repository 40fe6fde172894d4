package neuralcore.ops;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import neuralcore.cluster.Certificates;
import neuralcore.cluster.ClusterSecret;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * {@code cluster certificates}: makes an authority for a cluster, a certificate for each node, and
 * a secret. Called again with the same folder, it adds nodes to the same cluster.
 */
public final class CertificateCommand {
    private static final Pattern NODE = Pattern.compile("([\\w.-]{1,64})(=[\\w.:,-]{1,1024})?");
    private static final Pattern COMMON_NAME = Pattern.compile("CN=(.*)");
    private static final String SECRET = ClusterCredentials.SECRET;

    private CertificateCommand() {}

    /**
     * @param folder for the authority's files and, in a folder of its name, for each node's
     * @param nodes {@code name} or {@code name=address,address}
     */
    public static void run(Path folder, List<String> nodes, PrintWriter out) {
        try {
            PrivateFiles.createFolder(folder);
            Certificates.Made authority = authority(folder);
            String secret = secret(folder);
            for (String node : nodes) {
                Matcher named = NODE.matcher(node);
                if (!named.matches()) {
                    throw NeuralCoreException.invalid(
                            "--node %s: write it as NAME or NAME=ADDRESS,ADDRESS.".formatted(node));
                }
                String name = named.group(1);
                String addresses = named.group(2);
                Certificates.Made made =
                        Certificates.node(
                                authority,
                                name,
                                List.of(
                                        (addresses == null ? name : addresses.substring(1))
                                                .split(",")),
                                Instant.now(),
                                ClusterCredentials.NODE_LASTS);
                ClusterCredentials.write(folder.resolve(name), authority, made, secret);
                out.printf(
                        "%s: copy it to the node and set cluster.credentials%n",
                        folder.resolve(name));
            }
            out.printf(
                    "%s stays here: whoever has it can make nodes%n",
                    folder.resolve(ClusterCredentials.AUTHORITY_KEY));
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.DATA_FOLDER_LOCKED, "%s cannot be used: %s".formatted(folder, e), e);
        }
    }

    private static String secret(Path folder) throws IOException {
        Path file = folder.resolve(SECRET);
        if (!Files.exists(file)) {
            ClusterCredentials.put(file, ClusterSecret.generate() + "\n");
        }
        return Files.readString(file).strip();
    }

    private static Certificates.Made authority(Path folder) throws IOException {
        Path certificate = folder.resolve(ClusterCredentials.AUTHORITY);
        Path key = folder.resolve(ClusterCredentials.AUTHORITY_KEY);
        if (!Files.exists(key)) {
            Certificates.Made made =
                    Certificates.authority(
                            "neuralcore cluster",
                            Instant.now(),
                            ClusterCredentials.AUTHORITY_LASTS);
            ClusterCredentials.put(key, made.keyPem());
            ClusterCredentials.put(certificate, made.certificatePem());
            return made;
        }
        try {
            X509Certificate known =
                    (X509Certificate)
                            CertificateFactory.getInstance("X.509")
                                    .generateCertificate(
                                            new ByteArrayInputStream(
                                                    Files.readAllBytes(certificate)));
            String base64 =
                    Files.readString(key).replaceAll("-----[A-Z ]+-----", "").replaceAll("\\s", "");
            KeyPair keys =
                    new KeyPair(
                            known.getPublicKey(),
                            KeyFactory.getInstance("EC")
                                    .generatePrivate(
                                            new PKCS8EncodedKeySpec(
                                                    Base64.getDecoder().decode(base64))));
            Matcher name = COMMON_NAME.matcher(known.getSubjectX500Principal().getName());
            return new Certificates.Made(
                    name.matches() ? name.group(1) : "", keys, known.getEncoded());
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw new NeuralCoreException(
                    ErrorCode.DATA_DAMAGED,
                    "%s and %s are no authority of ours: %s".formatted(certificate, key, e),
                    e);
        }
    }
}
