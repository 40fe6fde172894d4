package neuralcore.vectors.hnsw;

import java.util.Random;

/** Vectors of several shapes, the same for the same seed. */
enum TestVectors {
    /** No structure: the hardest. */
    UNIFORM,
    /** Unit vectors around centres, as texts of different topics have. */
    CLUSTERED,
    /** Clustered, one in ten a copy of another. */
    DUPLICATES;

    /** Row after row. */
    float[] make(int count, int dimension, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count * dimension];
        int clusters = Math.max(2, count / 100);
        float[] centres = new float[clusters * dimension];
        for (int i = 0; i < centres.length; i++) {
            centres[i] = (float) random.nextGaussian();
        }
        for (int row = 0; row < count; row++) {
            int at = row * dimension;
            if (this == DUPLICATES && row > 0 && random.nextInt(10) == 0) {
                int copied = random.nextInt(row) * dimension;
                System.arraycopy(values, copied, values, at, dimension);
                continue;
            }
            int centre = this == UNIFORM ? -1 : random.nextInt(clusters) * dimension;
            double norm = 0;
            for (int i = 0; i < dimension; i++) {
                double value = random.nextGaussian();
                if (centre >= 0) {
                    value = centres[centre + i] + 0.5 * value;
                }
                values[at + i] = (float) value;
                norm += value * value;
            }
            for (int i = 0; i < dimension; i++) {
                values[at + i] /= (float) Math.sqrt(norm);
            }
        }
        return values;
    }
}
