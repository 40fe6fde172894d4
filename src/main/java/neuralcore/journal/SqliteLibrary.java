package neuralcore.journal;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.Objects;
import java.util.Properties;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * SQLite's native library. Left to itself the driver unpacks it at each start into the world's
 * temporary folder; here it is unpacked once into the cache folder. Thread-safe; only the first
 * call of a process counts.
 */
final class SqliteLibrary {
    private static boolean provided;

    private SqliteLibrary() {}

    /** Puts the library where the driver will look for it. */
    static synchronized void provide(Path cache) {
        if (provided || System.getProperty("org.sqlite.lib.path") != null) {
            return;
        }
        Path folder = cache.resolve("native").resolve("sqlite-" + version());
        String name = System.mapLibraryName("sqlitejdbc");
        Path library = folder.resolve(name);
        try {
            if (!Files.exists(library)) {
                unpack("org/sqlite/native/" + platform() + "/" + name, library);
            }
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.STORAGE_FAILED,
                    "SQLite's library cannot be unpacked to %s: %s".formatted(library, e),
                    e);
        }
        System.setProperty("org.sqlite.lib.path", folder.toString());
        System.setProperty("org.sqlite.lib.name", name);
        provided = true;
    }

    private static void unpack(String resource, Path library) throws IOException {
        Files.createDirectories(Objects.requireNonNull(library.getParent()));
        Path partial =
                library.resolveSibling(library.getFileName() + "." + ProcessHandle.current().pid());
        try (InputStream in = SqliteLibrary.class.getClassLoader().getResourceAsStream(resource)) {
            if (in == null) {
                throw new NeuralCoreException(
                        ErrorCode.NOT_SUPPORTED,
                        "This build brings no %s. Build it on this platform, or with its -Pnatives-… profile."
                                .formatted(resource));
            }
            Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
        }
        try {
            Files.move(partial, library, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(partial, library, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static String version() {
        Properties versions = new Properties();
        try (InputStream in =
                SqliteLibrary.class
                        .getClassLoader()
                        .getResourceAsStream("neuralcore/version.properties")) {
            versions.load(Objects.requireNonNull(in));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return versions.getProperty("sqlite", "unknown");
    }

    private static String platform() {
        String os = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch", "").equals("aarch64") ? "aarch64" : "x86_64";
        if (os.startsWith("windows")) {
            return "Windows/" + arch;
        }
        return (os.contains("mac") ? "Mac/" : "Linux/") + arch;
    }
}
