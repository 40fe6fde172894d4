package neuralcore.vectors.simd;

/** How a query becomes 16-bit numbers whose products with codes add up in 16 bits. */
final class CodeQueries {
    /**
     * What the numbers of one lane may add up to. Rounding adds up to half for each, of which there
     * are {@link CodeKernels#TERMS}, so that much is kept back.
     */
    private static final double LANE_BUDGET =
            Short.MAX_VALUE / (double) CodeKernels.LARGEST - CodeKernels.TERMS / 2.0 - 0.5;

    private CodeQueries() {}

    /**
     * @param lanes 16-bit numbers in a SIMD vector. Of a block of {@link CodeKernels#TERMS} · lanes
     *     elements, 2 · lanes after 2 · lanes are taken, and each two neighbours of them are added
     *     up in one lane
     */
    static float prepare(float[] query, int offset, short[] target, int length, int lanes) {
        double largest = 0;
        int block = lanes * CodeKernels.TERMS;
        for (int from = 0; from < length; from += block) {
            int end = Math.min(from + block, length);
            for (int first = from; first < Math.min(from + 2 * lanes, end); first += 2) {
                double sum = 0;
                for (int i = first; i < end; i += 2 * lanes) {
                    sum += Math.abs(query[offset + i]);
                    if (i + 1 < end) {
                        sum += Math.abs(query[offset + i + 1]);
                    }
                }
                largest = Math.max(largest, sum);
            }
        }
        double scale = largest == 0 ? 0 : LANE_BUDGET / largest;
        for (int i = 0; i < length; i++) {
            target[i] = (short) Math.rint(query[offset + i] * scale);
        }
        return largest == 0 ? 0f : (float) (largest / LANE_BUDGET);
    }
}
