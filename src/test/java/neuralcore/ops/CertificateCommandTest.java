package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import neuralcore.config.ConfigLoader;
import neuralcore.config.Given;
import neuralcore.config.Platform;
import neuralcore.config.RuntimeConfig;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CertificateCommandTest {
    @TempDir Path folder;
    private final StringWriter out = new StringWriter();

    private void run(String... nodes) {
        CertificateCommand.run(folder.resolve("cluster"), List.of(nodes), new PrintWriter(out));
    }

    private X509Certificate read(String file) throws Exception {
        try (var in = Files.newInputStream(folder.resolve("cluster").resolve(file))) {
            return (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    private RuntimeConfig.Cluster cluster(Path credentials) {
        return ConfigLoader.load(
                        null,
                        Map.of(),
                        List.of(
                                Given.assignment("cluster.host=10.0.0.1"),
                                Given.assignment("cluster.credentials=" + credentials)),
                        Platform.current())
                .config()
                .cluster();
    }

    @Test
    void nodesThatAreAddedLaterAreOfTheSameCluster() throws Exception {
        run("one=10.0.0.1,one.example", "two");
        run("three");
        X509Certificate authority = read("ca.crt");
        for (String node : List.of("one", "two", "three")) {
            read(node + "/tls.crt").verify(authority.getPublicKey());
            assertThat(read(node + "/ca.crt")).isEqualTo(authority);
            assertThat(folder.resolve("cluster").resolve(node).resolve("secret"))
                    .hasSameTextualContentAs(folder.resolve("cluster/secret"));
        }
        assertThat(read("one/tls.crt").getSubjectAlternativeNames().toString())
                .contains("10.0.0.1", "one.example");
        assertThat(folder.resolve("cluster/one/ca.key")).doesNotExist();
        assertThat(out.toString()).contains("ca.key");
    }

    @Test
    void whatItMakesIsWhatANodeTakes() {
        run("one");
        ClusterCredentials.Loaded loaded =
                ClusterCredentials.load(cluster(folder.resolve("cluster/one")), Map.of());
        assertThat(loaded.tls().certificate()).contains("BEGIN CERTIFICATE");
        assertThat(loaded.toString()).doesNotContain("BEGIN", "PRIVATE");
    }

    @Test
    void theSecretMayBeInTheEnvironmentAndMustBeLong() throws Exception {
        run("one");
        Path node = folder.resolve("cluster/one");
        Files.delete(node.resolve("secret"));
        assertThatThrownBy(() -> ClusterCredentials.load(cluster(node), Map.of()))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining("NEURALCORE_CLUSTER_SECRET");
        ClusterCredentials.load(
                cluster(node), Map.of("NEURALCORE_CLUSTER_SECRET", "sixteen letters!"));
        assertThatThrownBy(
                        () ->
                                ClusterCredentials.load(
                                        cluster(node),
                                        Map.of("NEURALCORE_CLUSTER_SECRET", "short")))
                .hasMessageContaining("5 characters");
    }

    @Test
    void aNameThatIsNoneIsRefused() {
        assertThatThrownBy(() -> run("../elsewhere")).hasMessageContaining("--node");
    }
}
