package verticles.relay;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import neuralcore.relay.Secret;
import neuralcore.wire.Json;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.auth.SaslExtensions;
import org.apache.kafka.common.security.auth.SaslExtensionsCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;
import org.jspecify.annotations.Nullable;

/**
 * Gives Kafka's client the bearer token that lies in a file or a variable, where another program
 * renews it. Kafka's own handlers fetch tokens from addresses, which a relay's configuration cannot
 * name.
 *
 * <p>The token is a JWT: when it ends and whose it is stands in its middle part, which is not
 * verified here: the broker does.
 */
public final class KafkaToken implements AuthenticateCallbackHandler {
    private static final long USUAL_MILLIS = 3_600_000;

    private Secret secret = Secret.NONE;

    @Override
    public void configure(
            Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> login) {
        Map<String, ?> options = login.getFirst().getOptions();
        secret =
                new Secret(
                        (String) options.get("token_env"),
                        (String) options.get("token_file"),
                        (String) options.get("token"));
    }

    @Override
    public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
        for (Callback callback : callbacks) {
            switch (callback) {
                case OAuthBearerTokenCallback wanted -> wanted.token(token());
                case SaslExtensionsCallback wanted -> wanted.extensions(SaslExtensions.empty());
                default -> throw new UnsupportedCallbackException(callback);
            }
        }
    }

    private OAuthBearerToken token() throws IOException {
        String text = secret.read(System.getenv());
        if (text == null) {
            throw new IOException(
                    "A relay with 'sasl: oauthbearer' needs a token by 'password_env' or 'password_file'.");
        }
        return new Token(text.strip(), System.currentTimeMillis());
    }

    @Override
    public void close() {
        // Nothing is open.
    }

    /** A token and what it says of itself. */
    private record Token(String value, long startMillis) implements OAuthBearerToken {

        private Map<?, ?> claims() {
            String[] parts = value.split("\\.", -1);
            try {
                byte[] middle = Base64.getUrlDecoder().decode(parts.length == 3 ? parts[1] : "");
                return Json.read(ByteBuffer.wrap(middle)) instanceof Map<?, ?> map ? map : Map.of();
            } catch (RuntimeException e) {
                return Map.of(); // Not a JWT: the broker will tell what it thinks of it.
            }
        }

        @Override
        public Set<String> scope() {
            return claims().get("scope") instanceof String scope
                    ? Set.copyOf(Arrays.asList(scope.split(" ")))
                    : Set.of();
        }

        @Override
        public long lifetimeMs() {
            return claims().get("exp") instanceof Number seconds
                    ? seconds.longValue() * 1_000
                    : startMillis + USUAL_MILLIS;
        }

        @Override
        public String principalName() {
            return claims().get("sub") instanceof String subject ? subject : "neuralcore";
        }

        @Override
        public @Nullable Long startTimeMs() {
            return startMillis;
        }

        @Override
        public String toString() {
            return "Token[not shown, %d bytes]"
                    .formatted(value.getBytes(StandardCharsets.UTF_8).length);
        }
    }
}
