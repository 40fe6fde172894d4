package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A second real model, with CLS pooling and a prefix for queries. */
class BgeTest {
    private static final Path NO_MODELS = Path.of("target/no-models");

    @Test
    void itsVectorsAreThoseOfTheSameNetworkInPython() {
        ModelSpec spec =
                ModelCatalog.read(NO_MODELS)
                        .get("BAAI/bge-small-en-v1.5")
                        .withFiles(
                                new ModelFile(
                                        "model.onnx",
                                        "bge-small-en-v1.5.onnx",
                                        133_093_490,
                                        "828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35"),
                                new ModelFile(
                                        "tokenizer.json",
                                        "bge-small-en-v1.5-tokenizer.json",
                                        711_396,
                                        "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"));
        List<Golden> goldens = Golden.read("bge-small-en-v1.5");
        String prefix = spec.prefix(TextKind.QUERY);
        int queries = 0;
        try (EmbeddingModel model =
                ModelLoader.load(
                                TestModel.source(
                                        spec, NO_MODELS, TestModel.CACHE, Precision.Choice.FP32))
                        .join()) {
            EmbeddingModel.BatchRunner runner = model.newRunner();
            for (Golden golden : goldens) {
                boolean query = golden.text().startsWith(prefix);
                TextKind kind = query ? TextKind.QUERY : TextKind.DOCUMENT;
                String text = query ? golden.text().substring(prefix.length()) : golden.text();
                int[][] ids = model.encode(List.of(spec.prefix(kind) + text));
                float[] vector = new float[384];
                runner.run(TokenBatch.of(List.of(ids)), FloatBuffer.wrap(vector));
                assertThat(TestModel.cosine(vector, golden.vector()))
                        .as("%s %s", kind, golden.shown())
                        .isGreaterThanOrEqualTo(0.9999);
                queries += query ? 1 : 0;
            }
        }
        assertThat(queries).isGreaterThan(20);
        assertThat(goldens.size()).isGreaterThan(100);
    }
}
