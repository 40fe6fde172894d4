package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * The first 64 bytes of a log segment, little-endian:
 *
 * <pre>
 *  0  u64  magic "NCVLOG\0\0"
 *  8  u32  format, 1
 * 12  u32  dimension
 * 16  u64  the collection's number, to know a file of another
 * 24  u64  sequence of the first record
 * 32  u32  CRC-32C of the bytes before
 * 36  u32  zero
 * 40  u64  bytes of this file that were synced, at least
 * 48  u64  the same, inverted
 * 56  u64  zero
 * </pre>
 *
 * <p>The mark at 40 is written after each sync and not synced itself. What it covers has been
 * acknowledged, so a bad record there is damage; beyond it, it is what a crash cut off.
 *
 * @param collection the collection's number
 * @param first sequence of the segment's first record
 * @param syncedBytes the mark, or −1 if it cannot be read
 */
record LogHeader(int dimension, long collection, long first, long syncedBytes) {
    static final int BYTES = 64;
    private static final long MAGIC = 0x0000_474F_4C56_434EL;
    private static final int FORMAT = 1;
    private static final int CRC_AT = 32;
    static final int MARK_AT = 40;

    ByteBuffer toBytes() {
        ByteBuffer out = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        out.putLong(MAGIC).putInt(FORMAT).putInt(dimension).putLong(collection).putLong(first);
        out.putInt(crc(out)).putInt(0);
        out.putLong(syncedBytes).putLong(~syncedBytes);
        return out.rewind().limit(BYTES);
    }

    static ByteBuffer mark(long syncedBytes) {
        ByteBuffer out = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        return out.putLong(syncedBytes).putLong(~syncedBytes).flip();
    }

    /** Reads and checks the head of a segment that should be this collection's. */
    static LogHeader read(Path file, FileChannel channel, int dimension, long collection)
            throws IOException {
        ByteBuffer in = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        while (in.hasRemaining() && channel.read(in, in.position()) >= 0) {
            // until it is full or the file ends
        }
        if (in.hasRemaining()) {
            throw Damage.at(file, in.position(), "the file ends within its head");
        }
        if (in.getLong(0) != MAGIC) {
            throw Damage.at(file, 0, "it does not begin like a log");
        }
        if (in.getInt(CRC_AT) != crc(in)) {
            throw Damage.at(file, CRC_AT, "the head's checksum does not fit");
        }
        if (in.getInt(8) != FORMAT) {
            throw Damage.newer(file, in.getInt(8), FORMAT);
        }
        if (in.getInt(12) != dimension || in.getLong(16) != collection) {
            throw Damage.at(file, 12, "the file belongs to another collection");
        }
        long mark = in.getLong(MARK_AT);
        return new LogHeader(
                dimension,
                collection,
                in.getLong(24),
                mark == ~in.getLong(MARK_AT + 8) && mark >= BYTES ? mark : -1);
    }

    private static int crc(ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.array(), 0, CRC_AT);
        return (int) crc.getValue();
    }
}
