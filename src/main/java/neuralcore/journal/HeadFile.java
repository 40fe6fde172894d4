package neuralcore.journal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * How far a journal had come, in a file of its own. SQLite takes a damaged log for one that ends
 * before the damage, and says nothing; the commits that are missing then are noticed here.
 *
 * <p>Two slots of 64 bytes in sectors of their own are written in turn, so that one is whole
 * whatever happens. It is written after each commit that the disk has confirmed, and forced to the
 * disk once a second: it never tells of more than the database has, and after the death of the
 * process not of less; after a loss of power, what it does not know is the last second.
 *
 * <p>The open file carries a lock, so that a journal has one owner. Not thread-safe.
 */
final class HeadFile implements AutoCloseable {
    private static final long MAGIC = 0x4e43_4845_4144_3031L; // NCHEAD01
    private static final int SLOT = 512;
    private static final int LENGTH = 64;
    private static final int CHECKED = LENGTH - 4;
    private static final int DAMAGED = 1;

    /**
     * @param id of the journal, so that the head of another is not taken for this one's
     * @param damaged whether rows were found that are not what was written
     */
    record Head(long id, State state, boolean damaged) {}

    private final FileChannel channel;
    private final FileLock lock;
    private final ByteBuffer buffer = ByteBuffer.allocate(LENGTH);
    private final CRC32C crc = new CRC32C();
    private long generation;
    private boolean dirty;

    private HeadFile(FileChannel channel, FileLock lock) {
        this.channel = channel;
        this.lock = lock;
    }

    /**
     * Opens the file, which may be new.
     *
     * @throws NeuralCoreException {@code DATA_FOLDER_LOCKED} if another has it open
     */
    static HeadFile open(Path file) throws IOException {
        FileChannel channel = PrivateFile.open(file);
        @Nullable FileLock lock;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            lock = null;
        }
        if (lock == null) {
            channel.close();
            throw new NeuralCoreException(
                    ErrorCode.DATA_FOLDER_LOCKED,
                    "The journal of %s is in use by another daemon.".formatted(file));
        }
        return new HeadFile(channel, lock);
    }

    /** Whether nothing was ever written to it. */
    boolean isNew() throws IOException {
        return channel.size() == 0;
    }

    /** What was written last; null if neither slot is whole. */
    @Nullable Head read() throws IOException {
        Head latest = null;
        for (int slot = 0; slot < 2; slot++) {
            buffer.clear();
            if (channel.read(buffer, (long) slot * SLOT) < LENGTH) {
                continue;
            }
            buffer.flip();
            long magic = buffer.getLong();
            long written = buffer.getLong();
            Head head =
                    new Head(
                            buffer.getLong(),
                            new State(
                                    buffer.getLong(),
                                    buffer.getLong(),
                                    buffer.getLong(),
                                    buffer.getLong()),
                            (buffer.getInt() & DAMAGED) != 0);
            boolean whole = magic == MAGIC && buffer.getInt() == checksum();
            if (whole && (latest == null || written > generation)) {
                latest = head;
                generation = written;
            }
        }
        return latest;
    }

    void write(Head head) throws IOException {
        generation++;
        State state = head.state();
        buffer.clear();
        buffer.putLong(MAGIC).putLong(generation).putLong(head.id());
        buffer.putLong(state.commits()).putLong(state.rows());
        buffer.putLong(state.sequence()).putLong(state.chain());
        buffer.putInt(head.damaged() ? DAMAGED : 0);
        buffer.putInt(checksum()).flip();
        long at = generation % 2 * SLOT;
        while (buffer.hasRemaining()) {
            at += channel.write(buffer, at);
        }
        dirty = true;
    }

    /** Has the disk confirm what was written. */
    void force() throws IOException {
        if (dirty) {
            channel.force(false);
            dirty = false;
        }
    }

    private int checksum() {
        crc.reset();
        crc.update(buffer.array(), 0, CHECKED);
        return (int) crc.getValue();
    }

    @Override
    public void close() throws IOException {
        lock.release();
        channel.close();
    }
}
