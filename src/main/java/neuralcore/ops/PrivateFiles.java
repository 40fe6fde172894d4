package neuralcore.ops;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Files and folders that only the daemon's user can read. The mode is given as the file is made, so
 * there is no moment at which others could open it. Where the file system knows no modes (Windows),
 * the user's own folder is what protects them.
 */
final class PrivateFiles {
    private static final boolean POSIX =
            FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
    private static final Set<PosixFilePermission> FOLDER =
            PosixFilePermissions.fromString("rwx------");
    private static final Set<PosixFilePermission> FILE =
            PosixFilePermissions.fromString("rw-------");

    private PrivateFiles() {}

    /** Makes a folder and those above it; one that is there already is left as it is. */
    static void createFolder(Path folder) throws IOException {
        Files.createDirectories(folder, attributes(FOLDER));
    }

    /** Closes a folder to others. */
    static void restrictFolder(Path folder) throws IOException {
        if (POSIX) {
            Files.setPosixFilePermissions(folder, FOLDER);
        }
    }

    /** Opens a file to write, and makes it, private, if it is not there. */
    static FileChannel open(Path file) throws IOException {
        return FileChannel.open(
                file,
                Set.of(
                        StandardOpenOption.CREATE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE),
                attributes(FILE));
    }

    /** Puts a whole file in place: who reads it sees the old bytes or the new ones. */
    static void replace(Path file, byte[] bytes) throws IOException {
        Path beside = file.resolveSibling(file.getFileName() + "." + ProcessHandle.current().pid());
        Files.deleteIfExists(beside);
        Set<StandardOpenOption> options =
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        try (FileChannel channel = FileChannel.open(beside, options, attributes(FILE))) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        }
        Files.move(
                beside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Mode such as {@code 700}, or an empty text where files have none. */
    static String mode(Path path) throws IOException {
        if (!POSIX) {
            return "";
        }
        int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        return "%o".formatted(mode & 07777);
    }

    static boolean isReadableByOthers(Path path) throws IOException {
        return POSIX && (mode(path, 0077) != 0);
    }

    static boolean isWritableByOthers(Path path) throws IOException {
        return POSIX && mode(path, 0022) != 0;
    }

    /** Whether the path belongs to this process's user and is no link to somewhere else. */
    static boolean isOwn(Path path) throws IOException {
        if (!POSIX) {
            return true;
        }
        if (Files.isSymbolicLink(path)) {
            return false;
        }
        Path mark = Files.createTempFile(path, ".owner", "");
        try {
            return Files.getOwner(path).equals(Files.getOwner(mark));
        } finally {
            Files.delete(mark);
        }
    }

    private static int mode(Path path, int mask) throws IOException {
        return (int) Files.getAttribute(path, "unix:mode") & mask;
    }

    private static FileAttribute<?>[] attributes(Set<PosixFilePermission> permissions) {
        return POSIX
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(permissions)}
                : new FileAttribute<?>[0];
    }
}
