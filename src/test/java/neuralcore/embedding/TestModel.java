package neuralcore.embedding;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;

/** The real model, loaded once for all tests of a JVM. */
public final class TestModel {
    /** Kept between runs, as a user's cache is. */
    public static final Path CACHE = Path.of("target/embedding-cache");

    private static final class Holder {
        private static final LocalModel MODEL =
                (LocalModel)
                        ModelLoader.load(
                                        source(
                                                Path.of("target/no-models"),
                                                CACHE,
                                                Precision.Choice.FP32))
                                .join();
    }

    private TestModel() {}

    /** The default model, to be loaded with two threads. */
    static EmbeddingModel.Source source(Path models, Path cache, Precision.Choice precision) {
        return source(Models.ALL_MINILM_L6_V2, models, cache, precision);
    }

    static EmbeddingModel.Source source(
            ModelSpec spec, Path models, Path cache, Precision.Choice precision) {
        return source(spec, models, cache, precision, 2);
    }

    static EmbeddingModel.Source source(
            ModelSpec spec, Path models, Path cache, Precision.Choice precision, int threads) {
        return new EmbeddingModel.Source(
                spec,
                models,
                models.resolve("no-hub"),
                cache,
                threads,
                precision,
                Provider.CPU,
                Isolation.INPROCESS);
    }

    static LocalModel get() {
        return Holder.MODEL;
    }

    /** Computes texts one batch each. */
    static float[] embed(String text) {
        float[] vector = new float[get().spec().dimension()];
        get().newRunner()
                .run(
                        TokenBatch.of(List.of(get().encode(List.of(text))[0])),
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
