package neuralcore.embedding;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * A folder of files that can be made again: native libraries, optimized models.
 *
 * <p>Only its owner can enter it (native code is loaded from here). A file is written beside its
 * place, forced to disk and renamed, so that any number of processes may fill one folder at once
 * and a crash leaves no half file behind. Thread-safe.
 *
 * <p>The build makes one in advance, beside the program: what is in {@link #prepared} is used from
 * there, which spares a first start a second of unpacking and optimizing.
 */
public final class CacheFolder {

    /** Writes a file's content. */
    @FunctionalInterface
    public interface Maker {
        void write(Path target) throws IOException;
    }

    private static final Duration LEFTOVER_AGE = Duration.ofHours(1);

    private static final Optional<Path> PREPARED = findPrepared();

    private final Path root;
    private final Optional<Path> prepared;

    private CacheFolder(Path root, Optional<Path> prepared) {
        this.root = root;
        this.prepared = prepared;
    }

    /** Creates the folder if need be, and closes it to everybody else. */
    public static CacheFolder open(Path folder) {
        return open(folder, PREPARED);
    }

    static CacheFolder open(Path folder, Optional<Path> prepared) {
        Path root = folder.toAbsolutePath().normalize();
        try {
            createPrivately(root);
        } catch (IOException e) {
            throw failed(root, e);
        }
        return new CacheFolder(root, prepared);
    }

    /**
     * The folder that the build has filled: {@code neuralcore.prepared} beside the jar. It counts
     * if it belongs to the jar's owner and nobody else can write to it, as code is loaded from it.
     */
    public static Optional<Path> prepared() {
        return PREPARED;
    }

    private static Optional<Path> findPrepared() {
        try {
            Path program =
                    Path.of(
                            CacheFolder.class
                                    .getProtectionDomain()
                                    .getCodeSource()
                                    .getLocation()
                                    .toURI());
            Path beside = program.resolveSibling("neuralcore.prepared");
            return Files.isRegularFile(program) && isTrusted(beside, program)
                    ? Optional.of(beside)
                    : Optional.empty();
        } catch (URISyntaxException | IOException e) {
            return Optional.empty();
        }
    }

    static boolean isTrusted(Path folder, Path program) throws IOException {
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        if (!folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            return true;
        }
        var mode = Files.getPosixFilePermissions(folder);
        return Files.getOwner(folder).equals(Files.getOwner(program))
                && !mode.contains(PosixFilePermission.GROUP_WRITE)
                && !mode.contains(PosixFilePermission.OTHERS_WRITE);
    }

    /** The file at {@code relative}, made first if it is not there with {@code size} bytes. */
    Path place(String relative, long size, Maker maker) {
        return place(relative, file -> Files.size(file) == size, maker);
    }

    /** The file at {@code relative}, made first if it is not there. */
    Path place(String relative, Maker maker) {
        return place(relative, file -> true, maker);
    }

    private interface Check {
        boolean fits(Path file) throws IOException;
    }

    private Path place(String relative, Check check, Maker maker) {
        Path file = root.resolve(relative);
        try {
            if (prepared.isPresent()) {
                Path made = prepared.get().resolve(relative);
                if (Files.isRegularFile(made) && check.fits(made)) {
                    return made;
                }
            }
            if (!Files.isRegularFile(file) || !check.fits(file)) {
                make(file, maker);
            }
        } catch (IOException e) {
            throw failed(file, e);
        }
        return file;
    }

    private static void make(Path file, Maker maker) throws IOException {
        Path folder = file.getParent();
        if (folder == null) {
            throw new IOException(file + " has no folder");
        }
        createPrivately(folder);
        removeLeftovers(folder);
        Path beside = Files.createTempFile(folder, file.getFileName() + ".", ".part");
        try {
            maker.write(beside);
            try (FileChannel channel = FileChannel.open(beside, StandardOpenOption.WRITE)) {
                channel.force(true);
            }
            move(beside, file);
        } finally {
            Files.deleteIfExists(beside);
        }
    }

    /** Removes what processes that ended in the middle of their writing have left. */
    private static void removeLeftovers(Path folder) throws IOException {
        Instant longAgo = Instant.now().minus(LEFTOVER_AGE);
        try (DirectoryStream<Path> parts = Files.newDirectoryStream(folder, "*.part*")) {
            for (Path part : parts) {
                try {
                    if (Files.getLastModifiedTime(part).toInstant().isBefore(longAgo)) {
                        Files.deleteIfExists(part);
                    }
                } catch (NoSuchFileException e) {
                    // Whoever wrote it has just renamed it.
                    continue;
                }
            }
        }
    }

    private static void move(Path from, Path to) throws IOException {
        try {
            Files.move(
                    from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            // Windows does not replace a library that another process has loaded: theirs is ours.
            if (!Files.isRegularFile(to) || Files.size(to) != Files.size(from)) {
                throw e;
            }
        }
    }

    private static void createPrivately(Path folder) throws IOException {
        if (folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            var onlyOwner = PosixFilePermissions.fromString("rwx------");
            try {
                Files.createDirectories(folder, PosixFilePermissions.asFileAttribute(onlyOwner));
            } catch (FileAlreadyExistsException e) {
                throw new IOException(folder + " is a file", e);
            }
            // Fails for a folder of somebody else, from which no library must be loaded.
            Files.setPosixFilePermissions(folder, onlyOwner);
        } else {
            Files.createDirectories(folder);
        }
    }

    private static NeuralCoreException failed(Path path, IOException e) {
        return new NeuralCoreException(
                ErrorCode.UNAVAILABLE,
                "%s cannot be written: %s. Give this user a folder with 250 MB free (data.folder)."
                        .formatted(path, e),
                e);
    }
}
