package neuralcore.vectors.simd;

import java.lang.foreign.MemorySegment;

/**
 * Kernels for rows that lie in memory outside the heap, as in a mapped file. (Separate methods, for
 * a loop that sees arrays and segments is compiled for neither.)
 *
 * <p>Elements are little-endian; offsets are bytes. Stateless and thread-safe; nothing is
 * allocated. Sums that leave the range of float are left so, as in {@link Kernels#dot4}.
 */
public interface SegmentKernels {

    /** Σ aᵢ·bᵢ */
    float dot(float[] query, int queryOffset, MemorySegment rows, long row, int length);

    /** Σ (aᵢ − bᵢ)² */
    float squaredEuclidean(
            float[] query, int queryOffset, MemorySegment rows, long row, int length);

    /** {@link Kernels#dot4} of one query with four rows of one segment. */
    void dot4(
            float[] query,
            int queryOffset,
            MemorySegment rows,
            long row0,
            long row1,
            long row2,
            long row3,
            int length,
            float[] out,
            int outOffset);

    /** {@link CodeKernels#dot4} with four rows of one segment. */
    void codeDot4(
            short[] query,
            MemorySegment rows,
            long row0,
            long row1,
            long row2,
            long row3,
            int length,
            float[] out,
            int outOffset);
}
