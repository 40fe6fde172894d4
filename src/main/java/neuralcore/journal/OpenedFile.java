package neuralcore.journal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A file that has been opened, and which one it is. What is written to a file that was removed or
 * replaced meanwhile goes where nobody finds it, and the system says nothing.
 *
 * @param key the file's own, whatever it is called; null where files have none (Windows, which lets
 *     nobody remove a file that is open)
 */
record OpenedFile(Path path, @Nullable Object key) {

    static OpenedFile of(Path path) throws IOException {
        return new OpenedFile(path, keyOf(path));
    }

    /** Whether it is still the one that has its name. */
    boolean isInPlace() {
        try {
            return Objects.equals(key, keyOf(path));
        } catch (IOException e) {
            return false;
        }
    }

    private static @Nullable Object keyOf(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class).fileKey();
    }
}
