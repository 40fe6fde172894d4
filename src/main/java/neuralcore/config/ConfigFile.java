package neuralcore.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where the configuration file is. */
public final class ConfigFile {
    private static final String VARIABLE = "NEURALCORE_CONFIG";

    private ConfigFile() {}

    /**
     * The file named on the command line, else by {@code NEURALCORE_CONFIG}, else {@code
     * conf/neuralcore.yaml} beside the folder that the program lies in, if there is one. A file
     * that was named is taken at its word: that it is missing is for the reader to say.
     *
     * @param program the jar or folder of classes
     */
    public static @Nullable Path find(
            @Nullable Path named, Map<String, String> environment, @Nullable Path program) {
        if (named != null) {
            return named;
        }
        String variable = environment.getOrDefault(VARIABLE, "");
        if (!variable.isEmpty()) {
            return Path.of(variable);
        }
        if (program == null || program.getParent() == null) {
            return null;
        }
        Path beside = program.getParent().resolveSibling(Path.of("conf", "neuralcore.yaml"));
        return Files.isRegularFile(beside) ? beside : null;
    }
}
