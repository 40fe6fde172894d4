package neuralcore.cluster;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * What all nodes of a cluster know and nobody else. It is never sent: whoever knows it can say the
 * HMAC (SHA-256) of a number that the other side has just made up.
 */
public final class ClusterSecret {
    /** Fewer could be tried out by whoever has heard one proof. */
    public static final int FEWEST_CHARACTERS = 16;

    private static final int NONCE_BYTES = 32;
    private static final SecureRandom RANDOM = new SecureRandom();

    private final byte[] key;

    public ClusterSecret(String secret) {
        this.key = secret.getBytes(StandardCharsets.UTF_8);
    }

    /** A number that was never used before. */
    public static String nonce() {
        byte[] nonce = new byte[NONCE_BYTES];
        RANDOM.nextBytes(nonce);
        return HexFormat.of().formatHex(nonce);
    }

    /** A secret for a cluster that has none yet. */
    public static String generate() {
        return nonce();
    }

    /** Proves knowledge of the secret for these words, in this order. */
    public String proof(String... words) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            for (String word : List.of(words)) {
                byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
                // With its length before it, no word can reach into the next.
                mac.update(Integer.toString(bytes.length).getBytes(StandardCharsets.UTF_8));
                mac.update((byte) ':');
                mac.update(bytes);
            }
            return HexFormat.of().formatHex(mac.doFinal());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has HmacSHA256", e);
        }
    }

    /** Whether a proof is that of these words; takes as long for a wrong one as for a right one. */
    public boolean proves(String proof, String... words) {
        return MessageDigest.isEqual(
                proof.getBytes(StandardCharsets.UTF_8),
                proof(words).getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public String toString() {
        return "ClusterSecret[not shown]";
    }
}
