package neuralcore.embedding;

/**
 * A file of a model, exactly one version of it.
 *
 * @param name under which it lies in the model's folder
 * @param resource where the class path has it; empty if the runtime does not bring it
 * @param size in bytes
 * @param sha256 of its content, lower-case hexadecimal
 */
public record ModelFile(String name, String resource, long size, String sha256) {

    public ModelFile {
        if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
            throw new IllegalArgumentException("'" + name + "' is not a plain file name.");
        }
        if (size <= 0 || !sha256.matches("[0-9a-f]{64}")) {
            throw new IllegalArgumentException(
                    "%s needs its size and SHA-256, has %d and '%s'."
                            .formatted(name, size, sha256));
        }
    }
}
