package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.ObjLongConsumer;
import java.util.zip.CRC32C;

/**
 * Reads the records of one segment in their order. A record is
 *
 * <pre>
 *  0  u32  length n of the payload
 *  4  u32  CRC-32C of what follows
 *  8  u64  sequence
 * 16  n    payload, see {@link ChangeCodec}
 * </pre>
 */
final class LogReader {
    static final int HEAD_BYTES = 16;

    /**
     * Where reading ended.
     *
     * @param bytes length of the segment up to the end of its last good record
     * @param next the sequence that would follow
     * @param fileBytes length of the file; longer if a crash cut a record off
     */
    record End(long bytes, long next, long fileBytes) {}

    private final Path file;
    private final int dimension;
    private final long collection;
    private final ChangeCodec codec;

    LogReader(Path file, int dimension, long collection) {
        this.file = file;
        this.dimension = dimension;
        this.collection = collection;
        this.codec = new ChangeCodec(dimension);
    }

    /**
     * Reads all records; those up to {@code after} are checked and skipped.
     *
     * @param first the sequence that the segment must begin with
     * @param isLast whether it may end within a record
     */
    End read(long first, long after, boolean isLast, ObjLongConsumer<Change> apply)
            throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            LogHeader header = LogHeader.read(file, channel, dimension, collection);
            if (header.first() != first) {
                throw Damage.at(file, 24, "it begins with change %d".formatted(header.first()));
            }
            long size = channel.size();
            long synced = isLast ? header.syncedBytes() : size;
            if (synced > size) {
                throw Damage.at(file, size, "the file ends before byte %d".formatted(synced));
            }
            long at = LogHeader.BYTES;
            long sequence = first;
            while (at < size) {
                ByteBuffer payload = ByteBuffer.allocate(0);
                String fault = "the file ends within a record";
                ByteBuffer head = fill(channel, at, HEAD_BYTES);
                if (head.remaining() == HEAD_BYTES) {
                    int length = head.getInt(0);
                    if (length < 0 || length > size - at - HEAD_BYTES) {
                        fault =
                                "a record claims %d bytes"
                                        .formatted(Integer.toUnsignedLong(length));
                    } else {
                        payload = fill(channel, at + HEAD_BYTES, length);
                        fault = check(head, payload, sequence);
                    }
                }
                if (!fault.isEmpty()) {
                    if (synced < 0 || at < synced) {
                        throw Damage.at(file, at, fault);
                    }
                    break;
                }
                if (sequence > after) {
                    apply(payload, sequence, at, apply);
                }
                at += HEAD_BYTES + payload.limit();
                sequence++;
            }
            return new End(at, sequence, size);
        }
    }

    private void apply(ByteBuffer payload, long sequence, long at, ObjLongConsumer<Change> apply) {
        Change change;
        try {
            change = codec.decode(payload);
        } catch (IllegalArgumentException e) {
            throw Damage.at(file, at, String.valueOf(e.getMessage()));
        }
        apply.accept(change, sequence);
    }

    private static String check(ByteBuffer head, ByteBuffer payload, long sequence) {
        if (head.getInt(4) != crc(head, payload.duplicate())) {
            return "the checksum of change %d does not fit".formatted(sequence);
        }
        if (head.getLong(8) != sequence) {
            return "change %d stands where %d belongs".formatted(head.getLong(8), sequence);
        }
        return "";
    }

    /** The checksum of a record whose head is complete but for it. */
    static int crc(ByteBuffer head, ByteBuffer payload) {
        CRC32C crc = new CRC32C();
        crc.update(head.array(), head.arrayOffset() + 8, 8);
        crc.update(payload);
        return (int) crc.getValue();
    }

    private static ByteBuffer fill(FileChannel channel, long at, int length) throws IOException {
        ByteBuffer in = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (in.hasRemaining() && channel.read(in, at + in.position()) >= 0) {
            // until it is full or the file ends
        }
        return in.flip();
    }
}
