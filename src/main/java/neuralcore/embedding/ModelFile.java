package neuralcore.embedding;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A file of a model. A pinned one is exactly one version of it; of another kind any version will
 * do, and {@link ModelStore#pin} says which one is there.
 *
 * @param name under which it lies in the model's folder
 * @param resource where the class path has it; empty if the runtime does not bring it
 * @param size in bytes; 0 if it is not pinned
 * @param sha256 of its content, lower-case hexadecimal; empty if it is not pinned
 * @param path where it lies; null if it is to be looked for
 */
public record ModelFile(
        String name, String resource, long size, String sha256, @Nullable Path path) {

    public ModelFile {
        if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
            throw new IllegalArgumentException("'" + name + "' is not a plain file name.");
        }
        boolean pinned = size > 0 && sha256.matches("[0-9a-f]{64}");
        if (!pinned && (size != 0 || !sha256.isEmpty())) {
            throw new IllegalArgumentException(
                    "%s needs its size and SHA-256, has %d and '%s'."
                            .formatted(name, size, sha256));
        }
    }

    public ModelFile(String name, String resource, long size, String sha256) {
        this(name, resource, size, sha256, null);
    }

    /** Any file of this name. */
    static ModelFile named(String name) {
        return new ModelFile(name, "", 0, "", null);
    }

    /** Any file that lies here. */
    static ModelFile at(Path path) {
        String name = String.valueOf(path.getFileName());
        return new ModelFile(
                name.matches("[A-Za-z0-9][A-Za-z0-9._-]*") ? name : "file", "", 0, "", path);
    }

    boolean pinned() {
        return size > 0;
    }

    ModelFile pinned(long found, String digest) {
        return new ModelFile(name, resource, found, digest, path);
    }
}
