package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The file {@code graph.nc}: a head that says for which change of which collection the graph was
 * written, then the graph in blocks that have their own checksums. A graph can always be built
 * again, so a file that cannot be read, or is behind the snapshot, is left aside.
 *
 * <pre>
 *  0  u64  magic "NCGRAPH\0"
 *  8  u32  format, 1
 * 12  u32  zero
 * 16  u64  the collection's number
 * 24  u64  sequence of the last change that the graph has seen
 * 32  u32  CRC-32C of the bytes before
 * 36       zeros up to 64, then the graph
 * </pre>
 */
public final class StoredGraph {
    private static final String FILE = "graph.nc";
    private static final long MAGIC = 0x0048_5041_5247_434EL;
    private static final int FORMAT = 1;
    private static final int HEAD_BYTES = 64;
    private static final int CRC_AT = 32;

    /** Writes to a channel. */
    public interface Content {
        void writeTo(WritableByteChannel channel) throws IOException;
    }

    /** Reads from a channel. */
    public interface Reader<T> {
        T readFrom(ReadableByteChannel channel) throws IOException;
    }

    private StoredGraph() {}

    static Path path(Path folder) {
        return folder.resolve(FILE);
    }

    /** Replaces the file. */
    static void write(Disk disk, Path folder, long collection, long sequence, Content content)
            throws IOException {
        Path beside = folder.resolve(FILE + ".new");
        disk.delete(beside);
        try (Disk.Appender file = disk.create(beside)) {
            ByteBuffer head = ByteBuffer.allocate(HEAD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            head.putLong(MAGIC).putInt(FORMAT).putInt(0).putLong(collection).putLong(sequence);
            head.putInt(crc(head));
            file.append(head.clear());
            content.writeTo(new AppendingChannel(file));
            file.sync();
        }
        disk.move(beside, path(folder));
        disk.syncFolder(folder);
    }

    /** The change that the file's graph has seen; −1 if there is no such file. */
    static long sequence(Path folder, long collection) throws IOException {
        Path path = path(folder);
        if (!Files.exists(path)) {
            return -1;
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return readHead(path, channel, collection);
        }
    }

    /** Reads the graph. */
    static <T> @Nullable T read(Path folder, long collection, Reader<T> reader) throws IOException {
        Path path = path(folder);
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            readHead(path, channel, collection);
            return reader.readFrom(channel);
        }
    }

    private static long readHead(Path path, FileChannel channel, long collection)
            throws IOException {
        ByteBuffer head = ByteBuffer.allocate(HEAD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        while (head.hasRemaining() && channel.read(head) >= 0) {
            // until it is full or the file ends
        }
        if (head.hasRemaining() || head.getLong(0) != MAGIC || head.getInt(CRC_AT) != crc(head)) {
            throw Damage.at(path, 0, "its head is not as it was written");
        }
        if (head.getInt(8) != FORMAT) {
            throw Damage.newer(path, head.getInt(8), FORMAT);
        }
        if (head.getLong(16) != collection) {
            throw Damage.at(path, 16, "it belongs to another collection");
        }
        return head.getLong(24);
    }

    private static int crc(ByteBuffer head) {
        CRC32C crc = new CRC32C();
        crc.update(head.array(), 0, CRC_AT);
        return (int) crc.getValue();
    }

    /**
     * A file's end as a channel.
     *
     * @param file where to append
     */
    private record AppendingChannel(Disk.Appender file) implements WritableByteChannel {
        @Override
        public int write(ByteBuffer source) throws IOException {
            int length = source.remaining();
            file.append(source);
            return length;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }
}
