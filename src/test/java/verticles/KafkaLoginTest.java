package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertx.core.Vertx;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import neuralcore.eventbus.Addresses;
import neuralcore.relay.RelayConfig;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A real Kafka broker that speaks only TLS, and only with those who log in. */
class KafkaLoginTest extends JournalFixture {
    private static final String SECRET = "a \"strange\\\" one";

    @TempDir static Path kafkaFolder;
    private static Kerberos kerberos;
    private static KafkaServer kafka;

    private Vertx vertx;
    private FaultProxy door;

    @BeforeAll
    static void startKafka() throws Exception {
        keytool(
                "-genkeypair",
                "-alias",
                "broker",
                "-keyalg",
                "EC",
                "-groupname",
                "secp256r1",
                "-dname",
                "CN=broker",
                "-ext",
                "san=ip:127.0.0.1",
                "-validity",
                "3650",
                "-storetype",
                "PKCS12");
        keytool("-exportcert", "-alias", "broker", "-rfc", "-file", ca().toString());
        Map<String, String> settings = new HashMap<>();
        settings.put(
                "listener.security.protocol.map",
                "OUTER:PLAINTEXT,INNER:SASL_SSL,CONTROLLER:PLAINTEXT");
        settings.put("ssl.keystore.type", "PKCS12");
        settings.put("ssl.keystore.location", store().toString());
        settings.put("ssl.keystore.password", "changeit");
        settings.put(
                "sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER,GSSAPI");
        String login = "listener.name.inner.%s.sasl.jaas.config";
        String module = "org.apache.kafka.common.security.%sLoginModule required";
        settings.put(
                login.formatted("plain"),
                module.formatted("plain.Plain")
                        + " user_ann=\"%s\";".formatted(escaped(escaped(SECRET))));
        for (String scram : List.of("scram-sha-256", "scram-sha-512")) {
            settings.put(login.formatted(scram), module.formatted("scram.Scram") + ";");
        }
        settings.put(
                login.formatted("oauthbearer"),
                module.formatted("oauthbearer.OAuthBearer")
                        + " unsecuredLoginStringClaim_sub=\"broker\";");
        kerberos = new Kerberos(kafkaFolder.resolve("kerberos"), "brokers");
        settings.put("sasl.kerberos.service.name", "brokers");
        settings.put(login.formatted("gssapi"), kerberos.brokerLogin());
        kafka =
                new KafkaServer(
                        kafkaFolder,
                        settings,
                        List.of(
                                "--add-scram",
                                "SCRAM-SHA-256=[name=ann,password=plain]",
                                "--add-scram",
                                "SCRAM-SHA-512=[name=ann,password=plain]"),
                        kerberos.options());
    }

    /** Once for the line of the module; once more where it stands in a file of properties. */
    private static String escaped(String text) {
        return text.replace("\\", "\\\\").replace("\"", "\\\"");
    }

    private static Path ca() {
        return kafkaFolder.resolve("ca.pem");
    }

    private static Path store() {
        return kafkaFolder.resolve("broker.p12");
    }

    private static void keytool(String... words) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
        command.addAll(List.of(words));
        command.addAll(List.of("-keystore", store().toString(), "-storepass", "changeit"));
        Process process = new ProcessBuilder(command).inheritIO().start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isZero();
    }

    @AfterAll
    static void stopKafka() throws Exception {
        kafka.close();
        kerberos.close();
    }

    @BeforeEach
    void openDoor(Vertx provided) throws Exception {
        vertx = provided;
        door = new FaultProxy(vertx, kafka.innerPort(), kafka.proxiedPort());
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "scram-sha-256", "scram-sha-512", "oauthbearer"})
    void whoLogsInCanSendAndRead(String mechanism) throws Exception {
        String secret =
                switch (mechanism) {
                    case "plain" -> SECRET;
                    case "oauthbearer" -> token();
                    default -> "plain";
                };
        open(mechanism, secret, mechanism);
        awaitStatus("connected");
        offer(message("here", 1, 0, 0));
        awaitTrue(this::hasComeBack);
    }

    @Test
    void aKeytabIsEnough() throws Exception {
        Path keytab = kerberos.admit("ann");
        openKerberos(keytab);
        awaitStatus("connected");
        offer(message("here", 1, 0, 0));
        awaitTrue(this::hasComeBack);
    }

    @Test
    void whoHasAWrongKeytabIsToldWhy() throws Exception {
        Path keytab = kerberos.admit("carol");
        openKerberos(keytab);
        awaitTrue(() -> !String.valueOf(describe().get("reason")).isEmpty());
        assertThat(String.valueOf(describe().get("reason")))
                .contains("ann@EXAMPLE.COM", keytab.toString(), "klist -kt", "krb5.conf");
        assertThatThrownBy(
                        () ->
                                call(
                                        Addresses.relay("r"),
                                        Map.of("do", "publish", "to", Map.of(), "messages", 0)))
                .hasMessageContaining("klist -kt")
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.UNAVAILABLE);
    }

    private void openKerberos(Path keytab) throws Exception {
        open(
                Map.of(
                        "sasl",
                        "gssapi",
                        "user",
                        "ann@EXAMPLE.COM",
                        "keytab",
                        keytab.toString(),
                        "kerberos_service",
                        "brokers"),
                "gssapi");
    }

    @Test
    void whoDoesNotIsToldWhyAndHisPasswordIsReadAgain() throws Exception {
        Path password = open("plain", "wrong", "second");
        awaitTrue(() -> String.valueOf(describe().get("reason")).contains("uthentication"));
        assertThat(describe().toString()).doesNotContain("wrong");
        Files.writeString(password, SECRET);
        awaitStatus("connected");
    }

    /** Signed by nobody, which the broker's standard check allows. */
    private static String token() {
        long now = System.currentTimeMillis() / 1_000;
        String claims = "{\"sub\":\"ann\",\"iat\":%d,\"exp\":%d}".formatted(now - 5, now + 3_600);
        Base64.Encoder encoder = Base64.getUrlEncoder().withoutPadding();
        return encoder.encodeToString("{\"alg\":\"none\"}".getBytes(StandardCharsets.UTF_8))
                + "."
                + encoder.encodeToString(claims.getBytes(StandardCharsets.UTF_8))
                + ".";
    }

    private Path open(String mechanism, String secret, String topic) throws Exception {
        Path password = Files.writeString(folder.resolve("password"), secret);
        open(Map.of("sasl", mechanism, "user", "ann", "password_file", password.toString()), topic);
        return password;
    }

    private void open(Map<String, String> login, String topic) throws Exception {
        Map<String, @Nullable Object> values = new HashMap<>(login);
        values.put("name", "r");
        values.put("bootstrap_servers", "127.0.0.1:" + door.port());
        values.put("tls", true);
        values.put("tls_ca", ca().toString());
        values.put("namespace", "atlas");
        values.put(
                "routes",
                List.of(
                        Map.of("direction", "out", "channel", "here", "topic", topic),
                        Map.of(
                                "direction",
                                "in",
                                "channel",
                                "there",
                                "topic",
                                topic,
                                "group",
                                topic,
                                "replay_start",
                                "earliest")));
        await(
                vertx.deployVerticle(
                        new KafkaVerticle(
                                RelayConfig.of(values), new RelayNode("n", 1 << 20), "")));
    }

    /** What comes back of what a node has sent is a loop: it was sent, and it was read. */
    private boolean hasComeBack() {
        return Long.valueOf(1).equals(((Map<?, ?>) describe().get("metrics")).get("loops"));
    }

    private Map<String, @Nullable Object> describe() {
        return call(Addresses.relay("r"), Map.of("do", "describe"));
    }

    private void awaitStatus(String status) {
        awaitTrue(() -> status.equals(describe().get("status")));
    }

    private static void awaitTrue(BooleanSupplier condition) {
        long end = System.nanoTime() + 2 * PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("it does not come true").isLessThan(end);
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }
}
