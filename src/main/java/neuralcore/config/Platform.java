package neuralcore.config;

import com.sun.security.auth.module.UnixSystem;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/** What the defaults need to know of the machine. */
public record Platform(String operatingSystem, Path home) {

    public static Platform current() {
        return new Platform(
                System.getProperty("os.name", ""), Path.of(System.getProperty("user.home", ".")));
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
}
