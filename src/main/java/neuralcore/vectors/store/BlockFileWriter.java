package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.CRC32C;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * Writes a file that is complete and checked or not there: beside its place first, synced, then
 * renamed. {@link BlockFile} reads it and says how it is laid out. Not thread-safe.
 */
public final class BlockFileWriter implements AutoCloseable {
    private static final int BUFFER_BYTES = 1 << 20;

    private final Disk disk;
    private final Path target;
    private final Path beside;
    private final Disk.Appender file;
    private final ByteBuffer buffer =
            ByteBuffer.allocate(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private ByteBuffer sums = ByteBuffer.allocate(1024).order(ByteOrder.LITTLE_ENDIAN);
    private boolean finished;

    /**
     * @param target the file; one that is there is replaced in the end
     */
    public BlockFileWriter(Disk disk, Path target) throws IOException {
        this.disk = disk;
        this.target = target;
        this.beside = target.resolveSibling(target.getFileName() + ".new");
        disk.delete(beside);
        this.file = disk.create(beside);
        writeLong(BlockFile.MAGIC);
        writeInt(BlockFile.FORMAT);
        writeInt(0);
    }

    /** Where the next byte goes. */
    public long position() {
        return file.size() + buffer.position();
    }

    /** Continues at a multiple of this, with zeros up to there. */
    public void align(int bytes) throws IOException {
        while (position() % bytes != 0) {
            writeByte((byte) 0);
        }
    }

    public void writeByte(byte value) throws IOException {
        room(1).put(value);
    }

    public void writeInt(int value) throws IOException {
        room(4).putInt(value);
    }

    public void writeLong(long value) throws IOException {
        room(8).putLong(value);
    }

    public void write(byte[] bytes) throws IOException {
        write(ByteBuffer.wrap(bytes));
    }

    public void write(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            ByteBuffer out = room(1);
            int length = Math.min(out.remaining(), bytes.remaining());
            out.put(bytes.slice(bytes.position(), length));
            bytes.position(bytes.position() + length);
        }
    }

    public void write(float[] values, int from, int count) throws IOException {
        int at = from;
        while (at < from + count) {
            ByteBuffer out = room(4);
            int length = Math.min(out.remaining() / 4, from + count - at);
            out.asFloatBuffer().put(values, at, length);
            out.position(out.position() + 4 * length);
            at += length;
        }
    }

    private ByteBuffer room(int bytes) throws IOException {
        if (buffer.remaining() < bytes) {
            flush(buffer.position() / BlockFile.BLOCK_BYTES * BlockFile.BLOCK_BYTES);
        }
        return buffer;
    }

    /** Writes so many bytes of the buffer: whole blocks, or all at the end of the data. */
    private void flush(int bytes) throws IOException {
        CRC32C crc = new CRC32C();
        for (int at = 0; at < bytes; at += BlockFile.BLOCK_BYTES) {
            crc.reset();
            crc.update(buffer.array(), at, Math.min(BlockFile.BLOCK_BYTES, bytes - at));
            if (!sums.hasRemaining()) {
                ByteBuffer larger = ByteBuffer.allocate(2 * sums.capacity());
                sums = larger.order(ByteOrder.LITTLE_ENDIAN).put(sums.flip());
            }
            sums.putInt((int) crc.getValue());
        }
        buffer.flip();
        file.append(buffer.slice(0, bytes));
        buffer.position(bytes);
        buffer.compact();
    }

    /** Ends the file with what is to be known of it, and puts it in its place. */
    public void finish(Map<String, @Nullable Object> description) throws IOException {
        align(8);
        flush(buffer.position());
        long end = file.size();
        byte[] json = Json.writeText(description).getBytes(StandardCharsets.UTF_8);
        ByteBuffer trailer =
                ByteBuffer.allocate(BlockFile.TRAILER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        sums.flip();
        trailer.putLong(end).putInt(json.length).putInt(sums.remaining() / 4);
        CRC32C crc = new CRC32C();
        crc.update(json);
        crc.update(sums.duplicate());
        crc.update(trailer.array(), 0, trailer.position());
        trailer.putInt((int) crc.getValue()).putInt(BlockFile.FORMAT).putLong(BlockFile.MAGIC);
        file.append(ByteBuffer.wrap(json), sums, trailer.flip());
        file.sync();
        file.close();
        disk.move(beside, target);
        Path folder = target.getParent();
        if (folder != null) {
            disk.syncFolder(folder);
        }
        finished = true;
    }

    /** Unless it was finished, nothing remains. */
    @Override
    public void close() throws IOException {
        if (!finished) {
            file.close();
            disk.delete(beside);
        }
    }
}
