package neuralcore.ops;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** What this build is. */
public final class Version {
    /** The protocol that it speaks; see {@code docs/protocol.md}. */
    public static final int PROTOCOL = 1;

    public static final String NUMBER = read();

    private Version() {}

    private static String read() {
        try (InputStream in = Version.class.getResourceAsStream("/neuralcore/version.properties")) {
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty("version", "unknown");
        } catch (IOException e) {
            throw new UncheckedIOException("this build lacks its version", e);
        }
    }
}
