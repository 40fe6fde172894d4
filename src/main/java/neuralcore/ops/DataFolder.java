package neuralcore.ops;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import neuralcore.config.RuntimeConfig;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes the data folder and keeps others out of it. */
final class DataFolder {
    private static final Logger log = LoggerFactory.getLogger(DataFolder.class);

    private DataFolder() {}

    /**
     * Makes the folders that the daemon needs.
     *
     * @throws NeuralCoreException {@link ErrorCode#DATA_FOLDER_LOCKED} if one cannot be made or is
     *     open to others
     */
    static void prepare(RuntimeConfig config) {
        Path folder = config.data().folder();
        try {
            PrivateFiles.createFolder(folder);
            closeToOthers(folder);
            PrivateFiles.createFolder(config.data().run());
            PrivateFiles.restrictFolder(config.data().run());
            PrivateFiles.createFolder(config.data().logs());
            PrivateFiles.restrictFolder(config.data().logs());
            prepareSocketFolder(config.bridge().socket());
        } catch (AccessDeniedException e) {
            throw unusable("%s cannot be written to".formatted(e.getFile()), e);
        } catch (FileAlreadyExistsException e) {
            throw unusable("%s is a file, not a folder".formatted(e.getFile()), e);
        } catch (IOException e) {
            throw unusable("%s cannot be used: %s".formatted(folder, e), e);
        }
    }

    /** A folder that somebody made for us is closed; one in use for other things is not touched. */
    private static void closeToOthers(Path folder) throws IOException {
        if (!PrivateFiles.isReadableByOthers(folder)) {
            return;
        }
        if (isEmpty(folder)) {
            PrivateFiles.restrictFolder(folder);
        } else if (PrivateFiles.isWritableByOthers(folder)) {
            throw unusable(
                    "%s can be written to by other users (mode %s); run: chmod 700 '%s'"
                            .formatted(folder, PrivateFiles.mode(folder), folder),
                    null);
        } else {
            log.warn(
                    "Other users can look into {} (mode {}); to change that: chmod 700 '{}'",
                    folder,
                    PrivateFiles.mode(folder),
                    folder);
        }
    }

    /** The socket may have to lie in /tmp, where anyone could have made its folder before us. */
    private static void prepareSocketFolder(Path socket) throws IOException {
        Path folder = socket.getParent();
        if (folder == null) {
            return;
        }
        PrivateFiles.createFolder(folder);
        if (!folder.startsWith("/tmp/neuralcore-")) {
            return;
        }
        if (!PrivateFiles.isOwn(folder)) {
            throw unusable("%s belongs to another user; set bridge.socket".formatted(folder), null);
        }
        PrivateFiles.restrictFolder(folder);
    }

    private static boolean isEmpty(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.findAny().isEmpty();
        }
    }

    private static NeuralCoreException unusable(String reason, @Nullable IOException cause) {
        String message =
                "The data folder cannot be used: "
                        + reason
                        + ". Choose another with --data or NEURALCORE_HOME.";
        return cause == null
                ? new NeuralCoreException(ErrorCode.DATA_FOLDER_LOCKED, message)
                : new NeuralCoreException(ErrorCode.DATA_FOLDER_LOCKED, message, cause);
    }
}
