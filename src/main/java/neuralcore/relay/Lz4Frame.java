package neuralcore.relay;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;
import net.jpountz.xxhash.XXHash32;
import net.jpountz.xxhash.XXHashFactory;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * LZ4's frame format, version 1.6.1 of its description: a magic number, a descriptor with its
 * checksum, blocks each after its length, an end mark. Frames written here have independent blocks
 * of at most 64 KiB and the message's length; those read may have blocks of any size, and must be
 * independent.
 *
 * <p>The library's own streams take 128 KiB of buffers for each message, many times a message's
 * length. This takes what the message needs. All methods are thread-safe.
 */
final class Lz4Frame {
    private static final int MAGIC = 0x184d2204;

    // The flags' byte.
    private static final int VERSION_MASK = 0xc0;
    private static final int VERSION = 0x40;
    private static final int INDEPENDENT = 0x20;
    private static final int BLOCK_CHECKSUMS = 0x10;
    private static final int CONTENT_SIZE = 0x08;
    private static final int CONTENT_CHECKSUM = 0x04;
    private static final int RESERVED = 0x02;
    private static final int DICTIONARY = 0x01;

    /** The blocks' size is 2 to the power of 8 + 2n; n = 4 are 64 KiB, n = 7 are 4 MiB. */
    private static final int SMALLEST_BLOCKS = 4;

    private static final int LARGEST_BLOCKS = 7;
    private static final int BLOCK = 1 << 8 + 2 * SMALLEST_BLOCKS;

    /** The highest bit of a block's length says that it is not packed. */
    private static final int NOT_PACKED = 1 << 31;

    /** No block is more than so many times as long unpacked. */
    private static final int MOST_TIMES = 255;

    private static final int HEAD = 4 + 2 + 8 + 1;
    private static final LZ4Compressor PACKER = LZ4Factory.safeInstance().fastCompressor();
    private static final LZ4SafeDecompressor UNPACKER =
            LZ4Factory.safeInstance().safeDecompressor();
    private static final XXHash32 HASH = XXHashFactory.safeInstance().hash32();

    private Lz4Frame() {}

    static boolean is(byte[] data) {
        return data.length > HEAD - 8 && little(data).getInt(0) == MAGIC;
    }

    private static ByteBuffer little(byte[] data) {
        return ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
    }

    static byte[] pack(byte[] message) {
        int blocks = (message.length + BLOCK - 1) / BLOCK;
        byte[] frame =
                new byte
                        [HEAD
                                + 4 * blocks
                                + PACKER.maxCompressedLength(message.length)
                                + 16 * blocks
                                + 4];
        ByteBuffer out = little(frame);
        out.putInt(MAGIC);
        out.put((byte) (VERSION | INDEPENDENT | CONTENT_SIZE));
        out.put((byte) (SMALLEST_BLOCKS << 4));
        out.putLong(message.length);
        out.put(headChecksum(frame, 4, 10));
        for (int from = 0; from < message.length; from += BLOCK) {
            int length = Math.min(BLOCK, message.length - from);
            int at = out.position() + 4;
            int packed = PACKER.compress(message, from, length, frame, at, frame.length - at - 4);
            if (packed < length) {
                out.putInt(packed).position(at + packed);
            } else {
                out.putInt(length | NOT_PACKED).put(message, from, length);
            }
        }
        out.putInt(0);
        return java.util.Arrays.copyOf(frame, out.position());
    }

    private static byte headChecksum(byte[] frame, int from, int length) {
        return (byte) (HASH.hash(frame, from, length, 0) >>> 8);
    }

    /**
     * @return null if it is longer than {@code most}
     */
    static byte @Nullable [] unpack(byte[] data, long most) {
        try {
            return unpack(data, little(data), most);
        } catch (LZ4Exception | java.nio.BufferUnderflowException | IndexOutOfBoundsException e) {
            throw NeuralCoreException.invalid("The message is not LZ4's: " + e.getMessage());
        }
    }

    private static byte @Nullable [] unpack(byte[] data, ByteBuffer in, long most) {
        in.getInt();
        int flags = in.get();
        int largest = in.get() >> 4 & 7;
        if ((flags & VERSION_MASK) != VERSION
                || (flags & (RESERVED | DICTIONARY)) != 0
                || (flags & INDEPENDENT) == 0
                || largest < SMALLEST_BLOCKS
                || largest > LARGEST_BLOCKS) {
            throw NeuralCoreException.invalid(
                    "The message is a frame of LZ4 whose flags are %02x; blocks must be independent, without a dictionary."
                            .formatted(flags));
        }
        long claimed = (flags & CONTENT_SIZE) != 0 ? in.getLong() : -1;
        if (claimed > most) {
            return null;
        }
        if (in.get() != headChecksum(data, 4, in.position() - 5)) {
            throw NeuralCoreException.invalid("The message's LZ4 descriptor is damaged.");
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(2 * data.length);
        for (int word = in.getInt(); word != 0; word = in.getInt()) {
            int length = word & ~NOT_PACKED;
            if (length > in.remaining()) {
                throw NeuralCoreException.invalid("The packed message ends too soon.");
            }
            int from = in.position();
            if (word < 0) {
                out.write(data, from, length);
            } else {
                long room = Math.min(1L << 8 + 2 * largest, (long) MOST_TIMES * length);
                byte[] block = new byte[(int) Math.min(room, most - out.size() + 1)];
                out.write(block, 0, unpacked(data, from, length, block, room));
            }
            if (out.size() > most) {
                return null;
            }
            in.position(from + length + ((flags & BLOCK_CHECKSUMS) != 0 ? 4 : 0));
        }
        byte[] message = out.toByteArray();
        if ((flags & CONTENT_CHECKSUM) != 0
                && in.getInt() != HASH.hash(message, 0, message.length, 0)) {
            throw NeuralCoreException.invalid("The message is not what was packed.");
        }
        if (claimed >= 0 && claimed != message.length || in.hasRemaining()) {
            throw NeuralCoreException.invalid("The message is not as long as it says.");
        }
        return message;
    }

    /** How much; the whole block where it is more than fits, which is then too much altogether. */
    private static int unpacked(byte[] data, int from, int length, byte[] block, long room) {
        try {
            return UNPACKER.decompress(data, from, length, block, 0, block.length);
        } catch (LZ4Exception e) {
            if (block.length < room) {
                return block.length;
            }
            throw e;
        }
    }
}
