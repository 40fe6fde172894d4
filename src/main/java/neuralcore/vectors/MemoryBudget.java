package neuralcore.vectors;

import java.util.concurrent.atomic.AtomicLong;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** How much memory collections take together, and may take. Thread-safe. */
final class MemoryBudget {
    private final long limit;
    private final AtomicLong used = new AtomicLong();

    MemoryBudget(long limitBytes) {
        this.limit = limitBytes;
    }

    long used() {
        return used.get();
    }

    /**
     * Takes so many bytes, before they are allocated.
     *
     * @throws NeuralCoreException {@link ErrorCode#LIMIT_EXCEEDED}; then nothing is taken
     */
    void reserve(long bytes) {
        long now = used.addAndGet(bytes);
        if (now > limit) {
            used.addAndGet(-bytes);
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    ("Collections would take %d bytes, of which %d are needed now;"
                                    + " vectors.max_bytes allows %d.")
                            .formatted(now, bytes, limit));
        }
    }

    /** Takes so many bytes even if that is too much. */
    void take(long bytes) {
        used.addAndGet(bytes);
    }

    void release(long bytes) {
        used.addAndGet(-bytes);
    }
}
