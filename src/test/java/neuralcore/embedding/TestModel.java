package neuralcore.embedding;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;

/** The real model, loaded once for all tests of a JVM. */
public final class TestModel {
    /** Kept between runs, as a user's cache is. */
    public static final Path CACHE = Path.of("target/embedding-cache");

    private static final class Holder {
        private static final EmbeddingModel MODEL =
                ModelLoader.load(
                                new EmbeddingModel.Source(
                                        "all-MiniLM-L6-v2",
                                        Path.of("target/no-models"),
                                        CACHE,
                                        2,
                                        Precision.Choice.FP32))
                        .join();
    }

    private TestModel() {}

    static EmbeddingModel get() {
        return Holder.MODEL;
    }

    /** Computes texts one batch each. */
    static float[] embed(String text) {
        float[] vector = new float[get().spec().dimension()];
        get().network()
                .newRunner()
                .run(
                        TokenBatch.of(List.of(get().tokenizer().encode(text))),
                        FloatBuffer.wrap(vector));
        return vector;
    }

    public static double cosine(float[] a, float[] b) {
        double dot = 0;
        double squaresA = 0;
        double squaresB = 0;
        for (int i = 0; i < a.length; i++) {
            dot += (double) a[i] * b[i];
            squaresA += (double) a[i] * a[i];
            squaresB += (double) b[i] * b[i];
        }
        return dot / Math.sqrt(squaresA * squaresB);
    }
}
