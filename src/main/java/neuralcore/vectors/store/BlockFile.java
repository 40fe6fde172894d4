package neuralcore.vectors.store;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.zip.CRC32C;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;

/**
 * A file mapped into memory, of which every block of 64 KiB has a checksum.
 *
 * <pre>
 * 0  u64 magic "NCBLOCKS", u32 format 1, u32 zero
 * 16 the contents, up to a multiple of 8
 * e  JSON, then one u32 a block: CRC-32C of each 64 KiB from 0 to e, the last one shorter
 *    trailer, 32 bytes: u64 e, u32 length of the JSON, u32 blocks,
 *    u32 CRC-32C of JSON, checksums and the 16 bytes before, u32 format, u64 magic
 * </pre>
 *
 * <p>Opening reads the end alone. Whoever looks at bytes calls {@link #verify} first, which
 * computes each block's checksum once; after that it costs a look at one int a block.
 *
 * <p>Thread-safe. The mapping ends with {@link #close}: nobody may look at it then.
 */
public final class BlockFile implements AutoCloseable {
    static final long MAGIC = 0x534B_434F_4C42_434EL;
    static final int FORMAT = 1;
    static final int BLOCK_BYTES = 1 << 16;
    static final int TRAILER_BYTES = 32;
    private static final int BLOCK_SHIFT = 16;

    private final Path path;
    private final Arena arena;
    private final MemorySegment data;
    private final Params description;
    private final int[] sums;

    /** By block: 1 once its checksum has been found right. */
    private final AtomicIntegerArray verified;

    private BlockFile(Path path, Arena arena, MemorySegment data, Params description, int[] sums) {
        this.path = path;
        this.arena = arena;
        this.data = data;
        this.description = description;
        this.sums = sums;
        this.verified = new AtomicIntegerArray(sums.length);
    }

    /**
     * Opens a file.
     *
     * @throws NeuralCoreException {@code DATA_DAMAGED} if its end is not as it was written
     */
    public static BlockFile open(Path path) throws IOException {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size < TRAILER_BYTES + 16) {
                throw Damage.at(path, size, "the file ends too early");
            }
            MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            BlockFile opened = read(path, arena, all);
            opened.verify(0, 1);
            return opened;
        } catch (NoSuchFileException e) {
            arena.close();
            throw Damage.missing(path, "it was there when the collection was last open");
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static BlockFile read(Path path, Arena arena, MemorySegment all) {
        long size = all.byteSize();
        ByteBuffer trailer = buffer(all, size - TRAILER_BYTES, TRAILER_BYTES);
        if (trailer.getLong(24) != MAGIC) {
            throw Damage.at(path, size - 8, "the file does not end like one of ours");
        }
        if (trailer.getInt(20) != FORMAT) {
            throw Damage.newer(path, trailer.getInt(20), FORMAT);
        }
        long end = trailer.getLong(0);
        long jsonBytes = Integer.toUnsignedLong(trailer.getInt(8));
        long blocks = Integer.toUnsignedLong(trailer.getInt(12));
        if (end < 16
                || end > size
                || end + jsonBytes + 4 * blocks + TRAILER_BYTES != size
                || blocks != Math.ceilDiv(end, (long) BLOCK_BYTES)
                || jsonBytes > Integer.MAX_VALUE) {
            throw Damage.at(
                    path, size - TRAILER_BYTES, "the trailer's lengths do not fit the file");
        }
        CRC32C crc = new CRC32C();
        ByteBuffer json = buffer(all, end, (int) jsonBytes);
        ByteBuffer table = buffer(all, end + jsonBytes, Math.toIntExact(4 * blocks));
        crc.update(json.duplicate());
        crc.update(table.duplicate());
        crc.update(trailer.slice(0, 16));
        if ((int) crc.getValue() != trailer.getInt(16)) {
            throw Damage.at(path, end, "the checksum of the description does not fit");
        }
        int[] sums = new int[(int) blocks];
        table.asIntBuffer().get(sums);
        return new BlockFile(
                path, arena, all.asSlice(0, end), new Params(Json.readObject(json)), sums);
    }

    private static ByteBuffer buffer(MemorySegment all, long from, int length) {
        return all.asSlice(from, length).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    public Path path() {
        return path;
    }

    public Params description() {
        return description;
    }

    /** The contents, from the first byte of the file. Verify before looking. */
    public MemorySegment data() {
        return data;
    }

    /** Bytes that are mapped. */
    public long bytes() {
        return data.byteSize();
    }

    /** Verified bytes as a buffer, little-endian. */
    public ByteBuffer read(long from, long length) {
        if (from < 0 || length < 0 || from > data.byteSize() - length || length > (1L << 31) - 1) {
            throw Damage.at(path, from, "the description names bytes outside of the file");
        }
        verify(from, from + length);
        return buffer(data, from, (int) length);
    }

    /**
     * Returns if the blocks of these bytes are as they were written.
     *
     * @throws NeuralCoreException {@code DATA_DAMAGED}, with the place
     */
    public void verify(long from, long to) {
        int last = (int) ((to - 1) >> BLOCK_SHIFT);
        for (int block = (int) (from >> BLOCK_SHIFT); block <= last; block++) {
            if (verified.getPlain(block) == 0) {
                verifyBlock(block);
            }
        }
    }

    private void verifyBlock(int block) {
        long at = (long) block << BLOCK_SHIFT;
        CRC32C crc = new CRC32C();
        crc.update(buffer(data, at, (int) Math.min(BLOCK_BYTES, data.byteSize() - at)));
        if ((int) crc.getValue() != sums[block]) {
            throw Damage.at(path, at, "the checksum of the block there does not fit");
        }
        verified.set(block, 1);
    }

    /** Looks at everything. */
    public void verifyAll() {
        verify(0, data.byteSize());
    }

    @Override
    public void close() {
        arena.close();
    }
}
