package neuralcore.ops;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Holds the data folder for one daemon. The system lets the lock go when the process ends, however
 * it ends; the file stays, and says who held it last.
 */
final class DataFolderLock implements AutoCloseable {
    /**
     * One byte far behind the text, so that others can read the text where locks forbid reading.
     */
    private static final long LOCKED_BYTE = Long.MAX_VALUE - 1;

    /**
     * Folders held by this process. POSIX gives a lock up when its process closes <em>any</em>
     * descriptor of the file, so a second one must never be opened.
     */
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path file;
    private final FileChannel channel;

    /** Which file it is, whatever it is called; null where files have no such thing (Windows). */
    private final @Nullable Object key;

    private DataFolderLock(Path file, FileChannel channel) throws IOException {
        this.file = file;
        this.channel = channel;
        key = keyOf(file);
    }

    /**
     * Takes the lock, waiting a little for a daemon that is just leaving.
     *
     * @throws NeuralCoreException {@link ErrorCode#DATA_FOLDER_LOCKED} if another daemon has it;
     *     the message says which
     */
    static DataFolderLock acquire(Path runFolder, String command, Duration patience)
            throws IOException {
        Path file = runFolder.toRealPath().resolve("daemon.lock");
        if (!HELD.add(file)) {
            throw held(runFolder, "this very process");
        }
        try {
            return lock(file, command, runFolder, System.nanoTime() + patience.toNanos());
        } catch (IOException | RuntimeException e) {
            HELD.remove(file);
            throw e;
        }
    }

    private static DataFolderLock lock(Path file, String command, Path runFolder, long deadline)
            throws IOException {
        FileChannel channel = PrivateFiles.open(file);
        try {
            FileLock lock = channel.tryLock(LOCKED_BYTE, 1, false);
            while (lock == null && System.nanoTime() < deadline) {
                Thread.sleep(20);
                lock = channel.tryLock(LOCKED_BYTE, 1, false);
            }
            if (lock == null) {
                throw held(runFolder, describeHolder(file));
            }
            channel.truncate(0);
            channel.write(ByteBuffer.wrap(describeSelf(command)), 0);
            return new DataFolderLock(file, channel);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            channel.close();
            throw new IOException("interrupted while waiting for " + file, e);
        }
    }

    private static byte[] describeSelf(String command) {
        Map<String, @Nullable Object> holder = new LinkedHashMap<>();
        holder.put("pid", ProcessHandle.current().pid());
        holder.put("started", Instant.now().toString());
        holder.put("command", command);
        return Json.write(holder);
    }

    private static String describeHolder(Path file) {
        try {
            Map<String, @Nullable Object> holder =
                    Json.readObject(ByteBuffer.wrap(Files.readAllBytes(file)));
            return "process %s, running since %s (%s)"
                    .formatted(holder.get("pid"), holder.get("started"), holder.get("command"));
        } catch (IOException | NeuralCoreException e) {
            return "a process that is just starting";
        }
    }

    private static NeuralCoreException held(Path runFolder, String holder) {
        return new NeuralCoreException(
                ErrorCode.DATA_FOLDER_LOCKED,
                "Another daemon uses %s: %s. Stop it, or choose another folder with --data."
                        .formatted(runFolder.getParent(), holder));
    }

    /** Whether the file that is locked is still the one that has its name. */
    boolean isInPlace() {
        try {
            return Objects.equals(key, keyOf(file));
        } catch (IOException e) {
            return false;
        }
    }

    private static @Nullable Object keyOf(Path file) throws IOException {
        return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
    }

    /** The file, as messages name it. */
    @Override
    public String toString() {
        return file.toString();
    }

    @Override
    public void close() throws IOException {
        channel.close();
        HELD.remove(file);
    }
}
