package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** The file system. Files and folders it makes are the user's alone. */
public final class LocalDisk implements Disk {
    private static final boolean POSIX =
            FileSystems.getDefault().supportedFileAttributeViews().contains("posix");

    /** Heap buffers are written through a direct one of their size, which should stay small. */
    private static final int SLICE_BYTES = 1 << 20;

    /** Makes a folder that is private to the user. */
    static void createFolder(Path folder) throws IOException {
        Files.createDirectories(folder, attributes("rwx------"));
    }

    @Override
    public Appender create(Path file) throws IOException {
        return new LocalAppender(
                FileChannel.open(
                        file,
                        Set.of(
                                StandardOpenOption.CREATE_NEW,
                                StandardOpenOption.READ,
                                StandardOpenOption.WRITE),
                        attributes("rw-------")));
    }

    @Override
    public Appender open(Path file) throws IOException {
        return new LocalAppender(
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE));
    }

    @Override
    public void move(Path from, Path to) throws IOException {
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    @Override
    public void delete(Path file) throws IOException {
        Files.deleteIfExists(file);
    }

    @Override
    public void syncFolder(Path folder) throws IOException {
        if (!POSIX) {
            return; // Windows keeps names by itself and cannot open a folder
        }
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private static FileAttribute<?>[] attributes(String mode) {
        return POSIX
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode))
                }
                : new FileAttribute<?>[0];
    }

    private static final class LocalAppender implements Appender {
        private final FileChannel channel;
        private long size;

        LocalAppender(FileChannel channel) throws IOException {
            this.channel = channel;
            this.size = channel.size();
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public void append(ByteBuffer... parts) throws IOException {
            for (ByteBuffer part : parts) {
                while (part.hasRemaining()) {
                    int length = Math.min(part.remaining(), SLICE_BYTES);
                    ByteBuffer slice = part.slice(part.position(), length);
                    int written = channel.write(slice, size);
                    part.position(part.position() + written);
                    size += written;
                }
            }
        }

        @Override
        public void sync() throws IOException {
            channel.force(false);
        }

        @Override
        public void truncate(long newSize) throws IOException {
            channel.truncate(newSize);
            size = newSize;
        }

        @Override
        public void hint(long position, ByteBuffer bytes) throws IOException {
            channel.write(bytes, position);
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
