package neuralcore.bridge;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import org.jspecify.annotations.Nullable;

/** The secret that a TCP or HTTP client shows. Compared in constant time, never logged. */
public final class Token {
    private final byte[] secret;

    public Token(String secret) {
        if (secret.length() < 32) {
            throw new IllegalArgumentException("a token needs at least 32 characters");
        }
        this.secret = secret.getBytes(StandardCharsets.UTF_8);
    }

    public boolean matches(@Nullable String offered) {
        return offered != null
                && MessageDigest.isEqual(secret, offered.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public String toString() {
        return "Token[…]";
    }
}
