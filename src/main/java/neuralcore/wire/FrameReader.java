package neuralcore.wire;

import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a byte stream into frame payloads. The length word is checked before anything is allocated
 * for it, and no more than one frame's bytes are ever held.
 *
 * <p>For one connection; not thread-safe.
 */
public final class FrameReader {
    private static final int FIRST_ALLOCATION = 64 * 1024;

    private final int maxText;
    private final int maxBinary;
    private final ByteBuffer lengthWord = ByteBuffer.allocate(4);
    private @Nullable ByteBuffer partial;
    private int awaitedLength = -1;

    /**
     * @param maxText largest JSON frame, in bytes
     * @param maxBinary largest binary frame, in bytes
     */
    public FrameReader(int maxText, int maxBinary) {
        this.maxText = maxText;
        this.maxBinary = maxBinary;
    }

    /**
     * Takes in what arrived and hands out each completed payload, in order. A payload that lies
     * within {@code chunk} is a view of it.
     *
     * @throws NeuralCoreException {@link ErrorCode#FRAME_TOO_LARGE} or {@link
     *     ErrorCode#MALFORMED_FRAME}; the stream cannot be read on after it
     */
    public void feed(ByteBuffer chunk, Consumer<ByteBuffer> payloads) {
        while (chunk.hasRemaining()) {
            if (awaitedLength < 0 && !readLength(chunk)) {
                return;
            }
            if (!chunk.hasRemaining()) {
                return;
            }
            if (partial == null) {
                checkKind(chunk.get(chunk.position()));
                if (chunk.remaining() >= awaitedLength) {
                    ByteBuffer payload = chunk.slice(chunk.position(), awaitedLength);
                    chunk.position(chunk.position() + awaitedLength);
                    awaitedLength = -1;
                    payloads.accept(payload);
                    continue;
                }
                partial = ByteBuffer.allocate(Math.min(awaitedLength, FIRST_ALLOCATION));
            }
            ByteBuffer payload = withRoom(partial, chunk.remaining());
            partial = payload;
            int take = Math.min(chunk.remaining(), awaitedLength - payload.position());
            payload.put(chunk.slice(chunk.position(), take));
            chunk.position(chunk.position() + take);
            if (payload.position() == awaitedLength) {
                partial = null;
                awaitedLength = -1;
                payloads.accept(payload.flip());
            }
        }
    }

    /** Whether bytes of an unfinished frame are held. */
    public boolean midFrame() {
        return awaitedLength >= 0 || lengthWord.position() > 0;
    }

    /** Memory follows the bytes that came, not the length that was claimed. */
    private ByteBuffer withRoom(ByteBuffer buffer, int arriving) {
        int needed = (int) Math.min(awaitedLength, (long) buffer.position() + arriving);
        if (needed <= buffer.capacity()) {
            return buffer;
        }
        int capacity = (int) Math.min(awaitedLength, Math.max(needed, 2L * buffer.capacity()));
        return ByteBuffer.allocate(capacity).put(buffer.flip());
    }

    private boolean readLength(ByteBuffer chunk) {
        while (lengthWord.hasRemaining() && chunk.hasRemaining()) {
            lengthWord.put(chunk.get());
        }
        if (lengthWord.hasRemaining()) {
            return false;
        }
        int length = lengthWord.getInt(0);
        lengthWord.clear();
        if (length <= 0) {
            throw new NeuralCoreException(
                    ErrorCode.MALFORMED_FRAME,
                    "A frame claims a length of " + length + " bytes; it must be positive.");
        }
        if (length > Math.max(maxText, maxBinary)) {
            throw tooLarge(length, Math.max(maxText, maxBinary));
        }
        awaitedLength = length;
        return true;
    }

    private void checkKind(byte first) {
        int limit = first == FrameLayout.JSON_OPEN ? maxText : maxBinary;
        if (awaitedLength > limit) {
            throw tooLarge(awaitedLength, limit);
        }
    }

    private static NeuralCoreException tooLarge(int length, int limit) {
        return new NeuralCoreException(
                ErrorCode.FRAME_TOO_LARGE,
                "A frame of %d bytes exceeds the limit of %d; send it in parts."
                        .formatted(length, limit));
    }
}
