package neuralcore.relay;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Where a password is to be found: in the environment, in a file, or in the call that opens the
 * relay. It is never shown. Variable and file are read for each connection, so a changed one needs
 * no restart.
 *
 * @param environment name of a variable
 * @param file path of a file whose first line it is
 * @param value the password itself
 */
public record Secret(@Nullable String environment, @Nullable String file, @Nullable String value) {
    public static final Secret NONE = new Secret(null, null, null);

    public Secret {
        int given =
                (environment == null ? 0 : 1) + (file == null ? 0 : 1) + (value == null ? 0 : 1);
        if (given > 1) {
            throw NeuralCoreException.invalid(
                    "A password comes from one of 'password_env', 'password_file' and 'password'.");
        }
    }

    @Override
    public String toString() {
        return "Secret[not shown]";
    }

    /**
     * The password, or null if none is configured.
     *
     * @throws NeuralCoreException {@code CONFIG_INVALID} if it is not where it should be
     */
    public @Nullable String read(Map<String, String> variables) {
        if (environment != null) {
            String found = variables.get(environment);
            if (found == null) {
                throw missing("The variable %s is not set.".formatted(environment), null);
            }
            return found;
        }
        if (file == null) {
            return value;
        }
        try (var lines = Files.lines(Path.of(file))) {
            return lines.findFirst().orElse("");
        } catch (IOException | java.io.UncheckedIOException e) {
            throw missing("The file %s cannot be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static NeuralCoreException missing(String what, @Nullable Exception cause) {
        NeuralCoreException exception =
                new NeuralCoreException(
                        ErrorCode.CONFIG_INVALID, "The relay's password is missing. " + what);
        if (cause != null) {
            exception.initCause(cause);
        }
        return exception;
    }
}
