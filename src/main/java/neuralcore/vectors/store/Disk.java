package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * What the store asks of a disk when it writes. Reading goes by path. A test puts one in its place
 * that forgets what was not synced.
 */
public interface Disk {
    /** Makes a file that is not there yet and opens it to be written. */
    Appender create(Path file) throws IOException;

    /** Opens a file to be continued at its end. */
    Appender open(Path file) throws IOException;

    /** Gives a file another name, at once; what had the name is gone. */
    void move(Path from, Path to) throws IOException;

    void delete(Path file) throws IOException;

    /** Makes new, renamed and deleted names in a folder last. */
    void syncFolder(Path folder) throws IOException;

    /** The error of what could not be written: whether for want of room, the code says. */
    static NeuralCoreException unwritable(String message, IOException reason) {
        boolean full = String.valueOf(reason.getMessage()).contains("No space left");
        return new NeuralCoreException(
                full ? ErrorCode.STORAGE_FULL : ErrorCode.STORAGE_FAILED, message, reason);
    }

    /** A file that is written from its beginning to its end. Not thread-safe, but for sync. */
    interface Appender extends AutoCloseable {
        long size();

        /** Appends all that remains in these buffers. */
        void append(ByteBuffer... parts) throws IOException;

        /** Makes what was appended before the call last. May run while another thread appends. */
        void sync() throws IOException;

        /** Cuts the file. */
        void truncate(long size) throws IOException;

        /** Writes over a few bytes near the beginning; they last when the system likes. */
        void hint(long position, ByteBuffer bytes) throws IOException;

        @Override
        void close() throws IOException;
    }
}
