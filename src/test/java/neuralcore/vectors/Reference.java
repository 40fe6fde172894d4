package neuralcore.vectors;

import java.util.Random;

/** The metrics as their definitions say, in double precision. */
final class Reference {
    private Reference() {}

    static double score(Metric metric, float[] a, int aOffset, float[] b, int bOffset, int n) {
        double dot = 0;
        double aSquared = 0;
        double bSquared = 0;
        double difference = 0;
        for (int i = 0; i < n; i++) {
            double x = a[aOffset + i];
            double y = b[bOffset + i];
            dot += x * y;
            aSquared += x * x;
            bSquared += y * y;
            difference += (x - y) * (x - y);
        }
        double norms = Math.sqrt(aSquared) * Math.sqrt(bSquared);
        return switch (metric) {
            case COSINE -> norms == 0 ? 0 : dot / norms;
            case DOT_PRODUCT -> dot;
            case SQUARED_EUCLIDEAN -> difference;
            case EUCLIDEAN -> Math.sqrt(difference);
        };
    }

    static float[] gaussian(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
