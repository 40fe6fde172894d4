package neuralcore.embedding;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The folders that ONNX Runtime makes in the world's temporary folder and leaves there if its
 * process is killed. It makes one at each load, even if its libraries lie elsewhere ({@link
 * NativeLibraries}) and nothing will ever be put into it, and removes it at the end of the JVM.
 *
 * <p>Only empty folders of this user are removed. Thread-safe.
 */
final class OnnxLeftovers {
    /** Longer than anybody takes between making such a folder and filling it. */
    private static final Duration SETTLED = Duration.ofMinutes(10);

    private static final String NAMES = "onnxruntime-java*";

    private OnnxLeftovers() {}

    /** Removes this process's folder and those that killed processes have left. Never fails. */
    static void remove() {
        Path own = own();
        if (own == null) {
            return;
        }
        try {
            Object user = Files.getOwner(own);
            Instant settled = Instant.now().minus(SETTLED);
            Files.deleteIfExists(own);
            Path parent = own.toAbsolutePath().getParent();
            if (parent != null) {
                try (DirectoryStream<Path> others = Files.newDirectoryStream(parent, NAMES)) {
                    for (Path other : others) {
                        removeIfStale(other, user, settled);
                    }
                }
            }
        } catch (IOException e) {
            // Another process was faster, or the folder is in use after all: it stays.
            return;
        }
    }

    private static void removeIfStale(Path folder, Object user, Instant settled) {
        try {
            if (Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                    && Files.getOwner(folder).equals(user)
                    && Files.getLastModifiedTime(folder).toInstant().isBefore(settled)) {
                Files.delete(folder);
            }
        } catch (IOException e) {
            // Not empty, or gone meanwhile.
            return;
        }
    }

    /** There is no public way to ask; another version may keep it elsewhere. */
    private static @Nullable Path own() {
        try {
            Field field =
                    Class.forName("ai.onnxruntime.OnnxRuntime").getDeclaredField("tempDirectory");
            field.setAccessible(true);
            return field.get(null) instanceof Path path ? path : null;
        } catch (ReflectiveOperationException | RuntimeException e) {
            return null;
        }
    }
}
