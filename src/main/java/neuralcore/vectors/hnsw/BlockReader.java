package neuralcore.vectors.hnsw;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.util.zip.CRC32C;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** Reads what {@link BlockWriter} wrote; each block's checksum is verified before it is used. */
final class BlockReader {
    private final ReadableByteChannel channel;
    private final ByteBuffer prefix =
            ByteBuffer.allocate(BlockWriter.PREFIX).order(ByteOrder.LITTLE_ENDIAN);
    private final ByteBuffer block =
            ByteBuffer.allocateDirect(BlockWriter.BLOCK).order(ByteOrder.LITTLE_ENDIAN).limit(0);
    private int number = -1;

    BlockReader(ReadableByteChannel channel) {
        this.channel = channel;
    }

    int readInt() throws IOException {
        more(Integer.BYTES);
        return block.getInt();
    }

    long readLong() throws IOException {
        more(Long.BYTES);
        return block.getLong();
    }

    void readBytes(byte[] target, int count) throws IOException {
        for (int from = 0; from < count; ) {
            more(1);
            int part = Math.min(count - from, block.remaining());
            block.get(target, from, part);
            from += part;
        }
    }

    void readInts(int[] target, int count) throws IOException {
        for (int from = 0; from < count; ) {
            more(Integer.BYTES);
            int part = Math.min(count - from, block.remaining() / Integer.BYTES);
            block.asIntBuffer().get(target, from, part);
            block.position(block.position() + part * Integer.BYTES);
            from += part;
        }
    }

    void readFloats(float[] target, int count) throws IOException {
        for (int from = 0; from < count; ) {
            more(Float.BYTES);
            int part = Math.min(count - from, block.remaining() / Float.BYTES);
            block.asFloatBuffer().get(target, from, part);
            block.position(block.position() + part * Float.BYTES);
            from += part;
        }
    }

    /** A whole number stands either in this block or in the next. */
    private void more(int bytes) throws IOException {
        if (block.remaining() >= bytes) {
            return;
        }
        if (block.hasRemaining()) {
            throw damaged("ends within a number");
        }
        number++;
        fill(prefix.clear());
        int length = prefix.getInt(0);
        if (length < bytes || length > BlockWriter.BLOCK) {
            throw damaged("claims %d bytes".formatted(length));
        }
        fill(block.clear().limit(length));
        block.flip();
        CRC32C checksum = new CRC32C();
        checksum.update(block.duplicate());
        if ((int) checksum.getValue() != prefix.getInt(Integer.BYTES)) {
            throw damaged("has a wrong checksum");
        }
    }

    private void fill(ByteBuffer target) throws IOException {
        while (target.hasRemaining()) {
            if (channel.read(target) < 0) {
                throw damaged("is cut off");
            }
        }
    }

    NeuralCoreException damaged(String what) {
        return new NeuralCoreException(
                ErrorCode.DATA_DAMAGED,
                "Block %d of the HNSW graph %s; build it anew from the vectors."
                        .formatted(number, what));
    }
}
