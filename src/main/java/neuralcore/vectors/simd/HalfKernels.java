package neuralcore.vectors.simd;

/**
 * Vectors stored as float16 (IEEE 754 binary16 in a {@code short}): half the memory of float32 with
 * eleven bits of each value. Values beyond ±65,504 are stored as ±65,504.
 *
 * <p>Stateless and thread-safe; nothing is allocated.
 */
public interface HalfKernels {
    float LARGEST = 65_504f;

    /** Stores finite values. */
    default void encode(float[] row, int offset, short[] target, int targetOffset, int length) {
        for (int i = 0; i < length; i++) {
            float value = Math.max(-LARGEST, Math.min(LARGEST, row[offset + i]));
            target[targetOffset + i] = Float.floatToFloat16(value);
        }
    }

    default void decode(short[] row, int offset, float[] target, int targetOffset, int length) {
        for (int i = 0; i < length; i++) {
            target[targetOffset + i] = Float.float16ToFloat(row[offset + i]);
        }
    }

    /** Σ aᵢ·bᵢ of a float32 query and a stored row. */
    float dot(float[] query, int queryOffset, short[] row, int offset, int length);

    /** Σ (aᵢ − bᵢ)² of a float32 query and a stored row. */
    float squaredEuclidean(float[] query, int queryOffset, short[] row, int offset, int length);
}
