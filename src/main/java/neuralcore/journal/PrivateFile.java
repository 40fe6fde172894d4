package neuralcore.journal;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Files that only the daemon's user can read, from the moment they are made: a journal or a backup
 * may be in a folder that is open to others. One that is there already keeps its mode.
 */
final class PrivateFile {
    private static final boolean POSIX =
            FileSystems.getDefault().supportedFileAttributeViews().contains("posix");

    private PrivateFile() {}

    /** Opens a file to read and to write, making it if it is not there. */
    static FileChannel open(Path file, StandardOpenOption... more) throws IOException {
        Set<StandardOpenOption> options =
                EnumSet.of(
                        StandardOpenOption.CREATE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE);
        options.addAll(List.of(more));
        return FileChannel.open(file, options, attributes());
    }

    /** Makes an empty file, unless there is one. SQLite gives its mode to those beside it. */
    static void make(Path file) throws IOException {
        open(file).close();
    }

    private static FileAttribute<?>[] attributes() {
        return POSIX
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rw-------"))
                }
                : new FileAttribute<?>[0];
    }
}
