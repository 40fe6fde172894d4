package neuralcore.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a relay to Kafka may be told, and what Kafka's clients are told of it. */
class KafkaConfigTest {
    private static final Map<String, String> VARIABLES = Map.of("PASSWORD", "a \"quoted\\\" word");

    private static RelayConfig config(Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> values = new HashMap<>(more);
        values.put("name", "k");
        values.putIfAbsent("bootstrap_servers", "one:9092, two:9093");
        return RelayConfig.of(values);
    }

    private static KafkaProperties properties(Map<String, @Nullable Object> more) {
        RelayConfig config = config(more);
        return new KafkaProperties(config, Objects.requireNonNull(config.kafka()), VARIABLES);
    }

    private static void assertRefused(Map<String, @Nullable Object> more, String... words) {
        assertThatThrownBy(() -> config(more))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContainingAll(words);
    }

    @Test
    void nothingIsLostOrReorderedByAProducerWhateverIsConfigured() {
        Map<String, Object> durable =
                properties(Map.of("properties", Map.of("linger.ms", 7L, "client.id", "me")))
                        .producer(true);
        assertThat(durable)
                .containsEntry("bootstrap.servers", "one:9092,two:9093")
                .containsEntry("acks", "all")
                .containsEntry("enable.idempotence", "true")
                .containsEntry("delivery.timeout.ms", "2147483647")
                .containsEntry("linger.ms", "7")
                .containsEntry("client.id", "me");
        Map<String, Object> most = properties(Map.of("answer_timeout", 1.0)).producer(false);
        assertThat(most).containsEntry("delivery.timeout.ms", "5001");
    }

    @Test
    void aConsumerSavesItsPlaceOnlyWhenItIsTold() {
        Map<String, Object> consumer =
                properties(Map.of("properties", Map.of("linger.ms", 7L, "max.poll.records", 9L)))
                        .consumer("g");
        assertThat(consumer)
                .containsEntry("group.id", "g")
                .containsEntry("enable.auto.commit", "false")
                .containsEntry("auto.offset.reset", "none")
                .containsEntry("max.poll.records", "9")
                .doesNotContainKey("linger.ms");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "sasl.oauthbearer.token.endpoint.url",
                "sasl.jaas.config",
                "sasl.login.callback.handler.class",
                "interceptor.classes",
                "metric.reporters",
                "ssl.engine.factory.class",
                "ssl.endpoint.identification.algorithm",
                "config.providers",
                "value.deserializer",
                "enable.auto.commit",
                "acks"
            })
    void aPropertyThatIsNotAllowedIsNamed(String name) {
        assertRefused(Map.of("properties", Map.of(name, "x")), name, "linger.ms");
    }

    @Test
    void aPropertyIsATextOrANumber() {
        assertRefused(Map.of("properties", Map.of("linger.ms", List.of(1L))), "linger.ms");
    }

    @Test
    void passwordsComeFromWhereTheyAreKeptAndCannotBreakOutOfTheirQuotes() {
        Map<String, @Nullable Object> user =
                Map.of("sasl", "scram-sha-512", "user", "ann", "password_env", "PASSWORD");
        Map<String, @Nullable Object> safely = new HashMap<>(user);
        safely.put("tls", true);
        Map<String, Object> scram = properties(safely).admin();
        assertThat(scram)
                .containsEntry("security.protocol", "SASL_SSL")
                .containsEntry("sasl.mechanism", "SCRAM-SHA-512");
        assertThat((String) scram.get("sasl.jaas.config"))
                .startsWith("org.apache.kafka.common.security.scram.ScramLoginModule required")
                .contains("username=\"ann\"")
                .contains("password=\"a \\\"quoted\\\\\\\" word\"")
                .endsWith(";");
        Map<String, @Nullable Object> plain = new HashMap<>(user);
        plain.put("sasl", "plain");
        assertThat(properties(plain).admin()).containsEntry("security.protocol", "SASL_PLAINTEXT");
        assertThat((String) properties(plain).admin().get("sasl.jaas.config"))
                .contains("PlainLoginModule");
        assertThatThrownBy(() -> properties(Map.of("sasl", "plain")).admin())
                .isInstanceOf(NeuralCoreException.class)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.CONFIG_INVALID);
    }

    @Test
    void tokensAndKerberosHaveLoginsOfTheirOwn() {
        Map<String, Object> token =
                properties(Map.of("sasl", "oauthbearer", "password_file", "/run/token")).admin();
        assertThat(token)
                .containsEntry("sasl.login.callback.handler.class", "verticles.relay.KafkaToken");
        assertThat((String) token.get("sasl.jaas.config"))
                .contains("OAuthBearerLoginModule", "token_file=\"/run/token\"");
        Map<String, Object> kerberos =
                properties(
                                Map.of(
                                        "sasl",
                                        "gssapi",
                                        "user",
                                        "ann@REALM",
                                        "keytab",
                                        "/etc/k.keytab",
                                        "kerberos_service",
                                        "brokers"))
                        .admin();
        assertThat(kerberos).containsEntry("sasl.kerberos.service.name", "brokers");
        assertThat((String) kerberos.get("sasl.jaas.config"))
                .contains("Krb5LoginModule", "principal=\"ann@REALM\"", "/etc/k.keytab");
        assertThatThrownBy(() -> properties(Map.of("sasl", "gssapi")).admin())
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining("'user'");
    }

    @Test
    void certificatesAreReadFromPemFiles(@TempDir Path folder) throws Exception {
        String ca = Files.writeString(folder.resolve("ca"), "CA\n").toString();
        String own = Files.writeString(folder.resolve("own"), "OWN\n").toString();
        Map<String, Object> map =
                properties(
                                Map.of(
                                        "tls",
                                        true,
                                        "tls_ca",
                                        ca,
                                        "tls_certificate",
                                        own,
                                        "tls_key",
                                        own))
                        .admin();
        assertThat(map)
                .containsEntry("security.protocol", "SSL")
                .containsEntry("ssl.truststore.certificates", "CA")
                .containsEntry("ssl.keystore.certificate.chain", "OWN");
        assertRefused(Map.of("tls_ca", ca), "tls");
        assertRefused(Map.of("tls", true, "tls_key", own), "tls_certificate");
        assertThatThrownBy(() -> properties(Map.of("tls", true, "tls_ca", "/none")).admin())
                .hasMessageContaining("/none");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "host", "host:x", "http://host:1", "a:1,", "a:1 b:2 /", "u@h:1"})
    void brokersAreHostsAndPorts(String servers) {
        assertRefused(Map.of("bootstrap_servers", servers), "bootstrap_servers");
    }

    @Test
    void aRelayHasOnlyPlacesOfItsOwnKindOfBroker() {
        assertRefused(
                Map.of(
                        "routes",
                        List.of(Map.of("direction", "out", "channel", "c", "stream", "s"))),
                "kafka",
                "redis");
        assertThatThrownBy(
                        () ->
                                RelayConfig.of(
                                        Map.of(
                                                "name",
                                                "r",
                                                "url",
                                                "redis://h",
                                                "routes",
                                                List.of(
                                                        Map.of(
                                                                "direction",
                                                                "in",
                                                                "channel",
                                                                "c",
                                                                "topic",
                                                                "t")))))
                .isInstanceOf(NeuralCoreException.class);
        assertRefused(Map.of("url", "redis://h"), "url");
        assertRefused(Map.of("sasl", "digest-md5"), "scram-sha-256");
    }

    @Test
    void routesToTopicsAreReadAndToldAgain() {
        Map<String, @Nullable Object> out =
                RouteParams.toMap(
                        RouteParams.of(
                                Map.of(
                                        "direction",
                                        "out",
                                        "channel",
                                        "c.*",
                                        "topic",
                                        "{channel}",
                                        "key",
                                        "meta.tenant"),
                                "n",
                                "p."));
        assertThat(out).containsEntry("topic", "p.{channel}").containsEntry("key", "meta.tenant");
        for (Object start : List.of("earliest", "latest", 17L, "2026-01-31T12:00:00Z")) {
            Map<String, @Nullable Object> in =
                    RouteParams.toMap(
                            RouteParams.of(
                                    Map.of(
                                            "direction",
                                            "in",
                                            "channel",
                                            "c",
                                            "topic",
                                            "t",
                                            "replay_start",
                                            start),
                                    "n",
                                    ""));
            assertThat(in).containsEntry("replay_start", start.toString());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "topic, a b, topic",
        "topic, ../etc, topic",
        "replay_start, yesterday, replay_start",
        "key, id, key",
        "consumer, me, consumer"
    })
    void whatMakesNoRouteIsNamed(String key, String value, String named) {
        Map<String, @Nullable Object> route = new HashMap<>();
        route.put("direction", "in");
        route.put("channel", "c");
        route.put("topic", "t");
        route.put(key, value);
        assertThatThrownBy(() -> RouteParams.of(route, "n", ""))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining(named);
    }

    @ParameterizedTest
    @CsvSource({
        "channel, c",
        "payload.user.id, 17",
        "payload.user.name, ann",
        "payload.user, '{\"id\":17,\"name\":\"ann\"}'",
        "payload.nobody.there, c",
        "meta.tenant, acme",
        "meta.none, c"
    })
    void messagesOfOneKeyHaveTheSameBytes(String key, String expected) {
        byte[] payload = bytes("{\"user\":{\"id\":17,\"name\":\"ann\"}}");
        byte[] meta = bytes("{\"tenant\":\"acme\"}");
        byte[] body = new byte[payload.length + meta.length];
        System.arraycopy(payload, 0, body, 0, payload.length);
        System.arraycopy(meta, 0, body, payload.length, meta.length);
        Envelope message =
                new Envelope(
                        "c", 1, 2, 3, 4, 0, 0, Envelope.JSON, Envelope.JSON, body, payload.length);
        assertThat(new PartitionKey(key).of(message)).isEqualTo(bytes(expected));
        assertThat(new PartitionKey("id").of(message)).isEqualTo(bytes(message.id()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "payload", "payload.", "other.field", "payload..a"})
    void otherKeysAreRefused(String key) {
        assertThatThrownBy(() -> new PartitionKey(key)).isInstanceOf(NeuralCoreException.class);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
