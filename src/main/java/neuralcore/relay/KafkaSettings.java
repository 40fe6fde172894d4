package neuralcore.relay;

import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * What only a relay to Kafka is told: how to log in, and properties for Kafka's own clients. The
 * brokers are the relay's {@code url}.
 *
 * @param tls whether connections are encrypted; certificates and names are always checked then
 * @param ca PEM file of the authorities to trust; null for those that Java trusts
 * @param certificate PEM file of our own certificate and those above it; null for none
 * @param key PEM file of the certificate's private key, PKCS#8
 * @param service name of the brokers' Kerberos service
 * @param keytab file of the Kerberos key
 * @param properties allowed ones, by Kafka's names
 */
public record KafkaSettings(
        boolean tls,
        @Nullable String ca,
        @Nullable String certificate,
        @Nullable String key,
        Mechanism mechanism,
        String service,
        @Nullable String keytab,
        Map<String, String> properties) {
    private static final String SERVERS =
            "([\\w.-]+|\\[[0-9a-fA-F:]+\\]):\\d{1,5}(,([\\w.-]+|\\[[0-9a-fA-F:]+\\]):\\d{1,5}){0,31}";

    /** How to log in, in SASL's words. */
    public enum Mechanism {
        NONE,
        PLAIN,
        SCRAM_SHA_256,
        SCRAM_SHA_512,
        /** The password is a bearer token, read anew each time that one is needed. */
        OAUTHBEARER,
        GSSAPI;

        /** As SASL, and users, write it. */
        public String word() {
            return name().replace('_', '-');
        }
    }

    public KafkaSettings {
        properties = Map.copyOf(properties);
        if ((certificate == null) != (key == null)) {
            throw NeuralCoreException.invalid(
                    "A relay needs both 'tls_certificate' and 'tls_key', or neither.");
        }
        if (!tls && (ca != null || certificate != null)) {
            throw NeuralCoreException.invalid(
                    "A relay has 'tls_ca' or 'tls_certificate' without 'tls: true'.");
        }
    }

    static KafkaSettings of(Given given) {
        Map<String, String> properties = new TreeMap<>();
        given.object("properties")
                .forEach(
                        (name, value) -> {
                            KafkaProperties.check(name, value);
                            properties.put(name, String.valueOf(value));
                        });
        return new KafkaSettings(
                given.bool("tls", false),
                given.optionalText("tls_ca"),
                given.optionalText("tls_certificate"),
                given.optionalText("tls_key"),
                mechanism(given.text("sasl", "none")),
                given.text("kerberos_service", "kafka"),
                given.optionalText("keytab"),
                properties);
    }

    private static Mechanism mechanism(String word) {
        for (Mechanism each : Mechanism.values()) {
            if (each.word().equals(word.toUpperCase(Locale.ROOT))) {
                return each;
            }
        }
        throw NeuralCoreException.invalid(
                "A relay has 'sasl' '%s'; it must be none, plain, scram-sha-256, scram-sha-512, oauthbearer or gssapi."
                        .formatted(word));
    }

    /** Brokers as users write them: {@code host:port}, several with commas between. */
    static String servers(String text) {
        String tight = text.replace(" ", "");
        if (!tight.matches(SERVERS)) {
            throw NeuralCoreException.invalid(
                    "A relay has 'bootstrap_servers' '%s'; it must be host:port, or several with commas between."
                            .formatted(text));
        }
        return tight;
    }
}
