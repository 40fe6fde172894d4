package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who is let into a cluster and who is not, and that both sides say why. */
@Timeout(600)
class ClusterSecurityIT {
    private static final int UNAVAILABLE = 69;
    private static final int CONFIG = 78;

    @TempDir static Path folder;
    private static Path credentials = Path.of("");
    private static int port;
    private static DaemonProcess door;

    @BeforeAll
    static void startADoor() throws Exception {
        credentials = folder.resolve("credentials");
        port = ClusterNode.freePort();
        door =
                ClusterNode.start(
                        folder.resolve("door"),
                        ClusterNode.arguments(credentials, "bridge,bus", port, ""));
    }

    @AfterAll
    static void stopIt() throws Exception {
        door.close();
    }

    private static List<String> joining(String roles) {
        return ClusterNode.arguments(credentials, roles, 0, "127.0.0.1:" + port);
    }

    @Test
    void theFilesThatWereMadeAreTheUsersAlone() throws Exception {
        assertThat(Files.getPosixFilePermissions(credentials))
                .isEqualTo(PosixFilePermissions.fromString("rwx------"));
        for (String name : List.of("tls.key", "secret")) {
            assertThat(Files.getPosixFilePermissions(credentials.resolve(name)))
                    .isEqualTo(PosixFilePermissions.fromString("rw-------"));
        }
    }

    @Test
    void anotherSecretIsRefusedAndBothSidesSayWhy() throws Exception {
        try (DaemonProcess other =
                ClusterNode.launch(
                        folder.resolve("other1"),
                        Map.of("NEURALCORE_CLUSTER_SECRET", "not the secret of this cluster"),
                        joining("bridge"))) {
            assertThat(other.awaitExit()).isEqualTo(UNAVAILABLE);
            assertThat(other.output()).contains("has another cluster secret");
        }
        door.awaitOutput("has another cluster secret");
    }

    @Test
    void aNodeWithTheBusOfItsOwnIsRefusedAndToldSo() throws Exception {
        try (DaemonProcess other =
                ClusterNode.launch(folder.resolve("other2"), Map.of(), joining("bus,bridge"))) {
            assertThat(other.awaitExit()).isEqualTo(UNAVAILABLE);
            assertThat(other.output()).contains("has the role bus");
        }
        door.awaitOutput("has the role bus");
    }

    @Test
    void aNodeOfAnotherVersionGetsNothingToEmbedAndIsToldSo() throws Exception {
        try (DaemonProcess ours = ClusterNode.start(folder.resolve("ours"), joining("embedding"));
                DaemonProcess newer =
                        ClusterNode.ofVersion(
                                "99.0", folder.resolve("newer"), joining("embedding"))) {
            newer.awaitOutput("sends this node nothing to embed");
            assertThat(newer.output()).contains("it runs version 99.0");
            door.awaitOutput("it runs version 99.0");
            assertThat(ours.output()).doesNotContain("nothing to embed");
        }
    }

    /** A stranger that has a certificate, but speaks what a later version may. */
    @Test
    void anotherProtocolIsRefusedByEitherSide() throws Exception {
        SSLContext tls = tls();
        try (SSLSocket socket =
                (SSLSocket)
                        tls.getSocketFactory()
                                .createSocket(InetAddress.getLoopbackAddress(), port)) {
            assertThat(receive(socket)).containsEntry("type", "challenge");
            send(socket, Map.of("type", "hello", "protocol", 2L, "version", "99.0"));
            assertThat(receive(socket))
                    .containsEntry("type", "refused")
                    .containsEntry("code", "VERSION_MISMATCH");
        }
        door.awaitOutput("version 99.0 speaks protocol 2");

        try (SSLServerSocket server =
                (SSLServerSocket)
                        tls.getServerSocketFactory()
                                .createServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            List<String> arguments =
                    ClusterNode.arguments(
                            credentials, "bridge", 0, "127.0.0.1:" + server.getLocalPort());
            try (DaemonProcess other =
                            ClusterNode.launch(folder.resolve("other3"), Map.of(), arguments);
                    SSLSocket socket = (SSLSocket) server.accept()) {
                send(
                        socket,
                        Map.of(
                                "type", "challenge",
                                "protocol", 2L,
                                "version", "99.0",
                                "node", "n",
                                "nonce", "0"));
                assertThat(receive(socket)).containsEntry("code", "VERSION_MISMATCH");
                assertThat(other.awaitExit()).isEqualTo(UNAVAILABLE);
                assertThat(other.output()).contains("version 99.0 speaks protocol 2");
            }
        }
    }

    @Test
    void beyondLoopbackANodeWithoutCredentialsDoesNotStart() throws Exception {
        List<String> arguments =
                new ArrayList<>(ClusterNode.arguments(folder.resolve("none"), "bridge", 0, ""));
        arguments.addAll(List.of("--set", "cluster.host=0.0.0.0"));
        try (DaemonProcess other =
                ClusterNode.launch(folder.resolve("other4"), Map.of(), arguments)) {
            assertThat(other.awaitExit()).isEqualTo(CONFIG);
            assertThat(other.output()).contains("neuralcore cluster certificates");
            assertThat(folder.resolve("none")).doesNotExist();
        }
    }

    @Test
    void aKeyThatOthersCanReadIsNotUsed() throws Exception {
        Path open = folder.resolve("open");
        Files.createDirectories(open);
        for (String name : List.of("ca.crt", "tls.crt", "tls.key", "secret")) {
            Files.copy(credentials.resolve(name), open.resolve(name));
        }
        Files.setPosixFilePermissions(
                open.resolve("tls.key"), PosixFilePermissions.fromString("rw-r--r--"));
        try (DaemonProcess other =
                ClusterNode.launch(
                        folder.resolve("other5"),
                        Map.of(),
                        ClusterNode.arguments(open, "bridge", 0, ""))) {
            assertThat(other.awaitExit()).isEqualTo(CONFIG);
            assertThat(other.output()).contains("Others can read", "chmod 600");
        }
    }

    private static SSLContext tls() throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        Certificate authority;
        Certificate own;
        try (var in = Files.newInputStream(credentials.resolve("ca.crt"))) {
            authority = factory.generateCertificate(in);
        }
        try (var in = Files.newInputStream(credentials.resolve("tls.crt"))) {
            own = factory.generateCertificate(in);
        }
        String base64 =
                Files.readString(credentials.resolve("tls.key"))
                        .replaceAll("-----[A-Z ]+-----|\\s", "");
        var key =
                KeyFactory.getInstance("EC")
                        .generatePrivate(
                                new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("own", key, new char[0], new Certificate[] {own});
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("ca", authority);
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, new char[0]);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static void send(SSLSocket socket, Map<String, ?> message) throws Exception {
        byte[] bytes = Json.writeText(message).getBytes(StandardCharsets.UTF_8);
        socket.getOutputStream()
                .write(
                        ByteBuffer.allocate(4 + bytes.length)
                                .putInt(bytes.length)
                                .put(bytes)
                                .array());
        socket.getOutputStream().flush();
    }

    private static Map<String, @Nullable Object> receive(SSLSocket socket) throws Exception {
        socket.setSoTimeout(120_000);
        byte[] length = socket.getInputStream().readNBytes(4);
        byte[] bytes = socket.getInputStream().readNBytes(ByteBuffer.wrap(length).getInt());
        return Json.readObject(ByteBuffer.wrap(bytes));
    }
}
