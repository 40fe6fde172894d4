package neuralcore.vectors.hnsw;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.zip.CRC32C;

/** Writes numbers in blocks: a length, a checksum and up to {@link #BLOCK} bytes. */
final class BlockWriter {
    static final int BLOCK = 1 << 20;
    static final int PREFIX = 2 * Integer.BYTES;

    private final WritableByteChannel channel;
    private final ByteBuffer block =
            ByteBuffer.allocateDirect(PREFIX + BLOCK).order(ByteOrder.LITTLE_ENDIAN);

    BlockWriter(WritableByteChannel channel) {
        this.channel = channel;
        block.position(PREFIX);
    }

    void writeInt(int value) throws IOException {
        room(Integer.BYTES);
        block.putInt(value);
    }

    void writeLong(long value) throws IOException {
        room(Long.BYTES);
        block.putLong(value);
    }

    void writeBytes(byte[] values, int count) throws IOException {
        for (int from = 0; from < count; ) {
            room(1);
            int part = Math.min(count - from, block.remaining());
            block.put(values, from, part);
            from += part;
        }
    }

    void writeInts(int[] values, int count) throws IOException {
        for (int from = 0; from < count; ) {
            room(Integer.BYTES);
            int part = Math.min(count - from, block.remaining() / Integer.BYTES);
            block.asIntBuffer().put(values, from, part);
            block.position(block.position() + part * Integer.BYTES);
            from += part;
        }
    }

    void writeFloats(float[] values, int count) throws IOException {
        for (int from = 0; from < count; ) {
            room(Float.BYTES);
            int part = Math.min(count - from, block.remaining() / Float.BYTES);
            block.asFloatBuffer().put(values, from, part);
            block.position(block.position() + part * Float.BYTES);
            from += part;
        }
    }

    private void room(int bytes) throws IOException {
        if (block.remaining() < bytes) {
            flush();
        }
    }

    /** Ends the block; a reader finds the next number in a new one. */
    void flush() throws IOException {
        int length = block.position() - PREFIX;
        if (length == 0) {
            return;
        }
        CRC32C checksum = new CRC32C();
        checksum.update(block.duplicate().flip().position(PREFIX));
        block.putInt(0, length).putInt(Integer.BYTES, (int) checksum.getValue()).flip();
        while (block.hasRemaining()) {
            channel.write(block);
        }
        block.clear().position(PREFIX);
    }
}
