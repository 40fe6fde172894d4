package neuralcore.config;

import com.sun.security.auth.module.UnixSystem;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/** What the defaults need to know of the machine. */
public record Platform(String operatingSystem, Path home) {

    public static Platform current() {
        return new Platform(System.getProperty("os.name", ""), homeFolder());
    }

    /** As shells have it; Java's own word is the account's folder, whatever HOME says. */
    static Path homeFolder() {
        Path home = Path.of(Objects.requireNonNullElse(System.getenv("HOME"), ""));
        return home.isAbsolute() ? home : Path.of(System.getProperty("user.home", "."));
    }

    /** Where this platform keeps a user's data. */
    Path userData(Map<String, String> environment) {
        String xdg = environment.getOrDefault("XDG_DATA_HOME", "");
        String name = operatingSystem.toLowerCase(Locale.ROOT);
        if (name.startsWith("mac")) {
            return home.resolve("Library", "Application Support", "neuralcore");
        }
        // The XDG specification has relative paths ignored.
        if (Path.of(xdg).isAbsolute()) {
            return Path.of(xdg, "neuralcore");
        }
        return home.resolve(".local", "share", "neuralcore");
    }

    /** The number of the user this process runs as, for a name in a folder that others use too. */
    static long userId() {
        return new UnixSystem().getUid();
    }

    /** A short name for a long path: two folders never share one. */
    static String fingerprint(Path folder) {
        try {
            byte[] path = folder.toString().getBytes(StandardCharsets.UTF_8);
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(path);
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
