package neuralcore.journal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Room on the disk that is kept for the day when there is none. */
final class Ballast {
    private static final int PIECE = 1 << 20;

    private final Path file;
    private final long bytes;

    Ballast(Path file, long bytes) {
        this.file = file;
        this.bytes = bytes;
    }

    /**
     * Takes the room, if it is not taken yet; false if there is not so much.
     *
     * @param besides bytes that must be free besides, so that the next message does not fill the
     *     disk again
     */
    boolean take(long besides) {
        try {
            if (Files.exists(file) && Files.size(file) == bytes) {
                return true;
            }
            if (Files.getFileStore(file.toAbsolutePath().getParent()).getUsableSpace()
                    < bytes + besides) {
                // Without trying, which would take from others what little there is.
                free();
                return false;
            }
            try (FileChannel channel =
                    PrivateFile.open(file, StandardOpenOption.TRUNCATE_EXISTING)) {
                for (long left = bytes + besides; left > 0; ) {
                    left -= channel.write(ByteBuffer.allocate((int) Math.min(left, PIECE)));
                }
                channel.truncate(bytes);
                channel.force(true);
            }
            return true;
        } catch (IOException e) {
            free();
            return false;
        }
    }

    void free() {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // What it holds stays taken; the disk is as full as it was.
        }
    }
}
