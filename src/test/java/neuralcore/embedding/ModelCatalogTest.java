package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Tensor;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Descriptions of models, and the models that are used by them. */
class ModelCatalogTest {
    @TempDir private Path folder;

    private Path models() {
        return folder.resolve("models");
    }

    private Path hub() {
        return folder.resolve("hub");
    }

    private LocalModel load(ModelSpec spec) {
        return (LocalModel)
                ModelLoader.load(
                                new EmbeddingModel.Source(
                                        spec,
                                        models(),
                                        hub(),
                                        folder.resolve("cache"),
                                        1,
                                        Precision.Choice.AUTO,
                                        Provider.CPU,
                                        Isolation.INPROCESS))
                        .join();
    }

    private static float[] embed(
            EmbeddingModel model, VectorForm form, TextKind kind, String text) {
        EmbeddingScheduler scheduler =
                new EmbeddingScheduler(model.spec().dimension(), new BatchPlanner(100), 10);
        scheduler.workerJoined("w", 100);
        long id = scheduler.admit("a", kind, 1, false, form);
        int[][] ids = model.encode(List.of(model.spec().prefix(kind) + text));
        Batch batch =
                ((EmbeddingScheduler.Effect.Run) scheduler.tokenized(id, ids).getFirst()).batch();
        Tensor vectors = Tensor.ofFloats(1, model.spec().dimension());
        model.newRunner().run(batch.tokens(), vectors.floats());
        return ((EmbeddingScheduler.Effect.Completed)
                        scheduler.finished(batch.id(), vectors, Duration.ofMillis(1)).getFirst())
                .vectors()
                .toFloatArray();
    }

    private static float[] embed(EmbeddingModel model, TextKind kind, String text) {
        return embed(model, model.spec().form(), kind, text);
    }

    private static ModelSpec tiny(String name, Object... keysAndValues) {
        Map<String, Object> keys = new LinkedHashMap<>(Map.of("dimension", 2L, "normalize", false));
        for (int i = 0; i < keysAndValues.length; i += 2) {
            keys.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return ModelCatalog.describe(name, new Params(new LinkedHashMap<>(keys)), null);
    }

    @Test
    void theProgramDescribesTheModelsThatAtlasNames() {
        Models models = ModelCatalog.read(models());
        assertThat(models.all().getFirst()).isEqualTo(Models.ALL_MINILM_L6_V2);
        for (String name :
                List.of(
                        "all-MiniLM-L6-v2",
                        "all-MiniLM-L12-v2",
                        "all-mpnet-base-v2",
                        "BAAI/bge-small-en-v1.5",
                        "bge-base-en-v1.5",
                        "bge-large-en-v1.5",
                        "intfloat/e5-small-v2",
                        "e5-base-v2",
                        "e5-large-v2",
                        "thenlper/gte-small",
                        "gte-base",
                        "gte-large",
                        "nomic-ai/nomic-embed-text-v1.5",
                        "paraphrase-MiniLM-L6-v2",
                        "multi-qa-MiniLM-L6-cos-v1")) {
            assertThat(models.find(name)).as(name).isPresent();
        }
        ModelSpec bge = models.get("bge-small-en-v1.5");
        assertThat(bge.pooling()).isEqualTo(Pooling.CLS);
        assertThat(bge.prefix(TextKind.QUERY)).startsWith("Represent this sentence");
        assertThat(bge.prefix(TextKind.DOCUMENT)).isEmpty();
        assertThat(models.get("e5-small-v2").prefix(TextKind.DOCUMENT)).isEqualTo("passage: ");
        assertThat(models.get("nomic-embed-text-v1.5").maxTokens()).isEqualTo(8192);
    }

    @Test
    void aUsersDescriptionsAndManifestsComeOnTop() throws IOException {
        Files.createDirectories(models().resolve("mine"));
        Files.writeString(
                models().resolve("models.yaml"),
                "e5-small-v2: {max_tokens: 100}\nmine: {dimension: 8, pooling: last_token}\n");
        Files.writeString(models().resolve("mine/manifest.json"), "{\"query_prefix\": \"q: \"}");
        Models models = ModelCatalog.read(models());
        assertThat(models.get("intfloat/e5-small-v2").maxTokens()).isEqualTo(100);
        assertThat(models.get("e5-small-v2").prefix(TextKind.QUERY)).isEqualTo("query: ");
        assertThat(models.get("mine").pooling()).isEqualTo(Pooling.LAST_TOKEN);
        assertThat(models.get("mine").prefix(TextKind.QUERY)).isEqualTo("q: ");
        assertThat(models.find("")).as("nor is it one without a repository").isEmpty();
    }

    @Test
    void aManifestThatIsNoJsonIsToldWithItsPlace() throws IOException {
        Path manifest = models().resolve("mine/manifest.json");
        Files.createDirectories(manifest.getParent());
        Files.writeString(manifest, "{nonsense");
        assertThatThrownBy(() -> ModelCatalog.read(models()).get("mine"))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST))
                .hasMessageContaining(manifest.toString());
    }

    @Test
    void aFaultyDescriptionConcernsNoOtherModel() throws IOException {
        Path pulled = models().resolve("pulled/manifest.json");
        Path damaged = models().resolve("bge-small-en-v1.5/manifest.json");
        Path misnamed = models().resolve("a name/manifest.json");
        for (Path manifest : List.of(pulled, damaged, misnamed)) {
            Files.createDirectories(manifest.getParent());
            Files.writeString(manifest, manifest == damaged ? "[1]" : "{\"repository\": \"a/b\"}");
        }
        Files.writeString(
                models().resolve("models.yaml"), "mine: {dimension: 8}\nother: {dimension: x}\n");
        Models models = ModelCatalog.read(models());
        assertThat(models.get("mine").dimension()).isEqualTo(8);
        assertThat(models.get("e5-small-v2").dimension()).isEqualTo(384);
        assertThat(models.faults()).hasSize(4);
        assertThatThrownBy(() -> models.get("pulled"))
                .hasMessageContainingAll(pulled.toString(), "'dimension' is missing");
        assertThatThrownBy(() -> models.get("other")).hasMessageContaining("models.yaml");
        assertThat(models.find("bge-small-en-v1.5")).as("not without its manifest").isEmpty();
        assertThatThrownBy(() -> models.get("BAAI/bge-small-en-v1.5"))
                .hasMessageContaining(damaged.toString());
        assertThatThrownBy(() -> models.with(models.get("mine")).get("a name"))
                .hasMessageContaining(misnamed.toString());
    }

    @Test
    void whatIsWrongInADescriptionIsToldWithItsPlace() throws IOException {
        Files.createDirectories(models());
        for (Map.Entry<String, String> wrong :
                Map.of(
                                "mine: {dimension: 0}", "dimension 0",
                                "mine: {}", "dimension",
                                "mine: {dimension: 8, pooling: sum}", "sum",
                                "mine: 7", "keys are expected",
                                "- a", "models by name",
                                "'../up': {dimension: 8}", "cannot be a model's name",
                                "mine: !!java.net.URL [x]", "mine")
                        .entrySet()) {
            Files.writeString(models().resolve("models.yaml"), wrong.getKey());
            String name = wrong.getKey().startsWith("'") ? "../up" : "mine";
            assertThatThrownBy(() -> ModelCatalog.read(models()).get(name))
                    .as(wrong.getKey())
                    .isInstanceOf(NeuralCoreException.class)
                    .hasMessageContainingAll("models.yaml", wrong.getValue());
        }
    }

    @Test
    void eachPoolingGivesWhatIsWorkedOutByHand() throws IOException {
        TinyModel.write(models().resolve("tiny"));
        Map<String, float[]> expected =
                Map.of(
                        "mean", new float[] {-2f / 3, 5f / 3},
                        "mean_with_attention", new float[] {-2f / 3, 5f / 3},
                        "cls", new float[] {1, 0},
                        "max", new float[] {1, 3},
                        "last_token", new float[] {-3, 3});
        for (Map.Entry<String, float[]> entry : expected.entrySet()) {
            try (LocalModel model = load(tiny("tiny", "pooling", entry.getKey()))) {
                assertThat(embed(model, TextKind.DOCUMENT, "one two three"))
                        .as(entry.getKey())
                        .containsExactly(entry.getValue(), Offset.offset(1e-6f));
            }
        }
    }

    @Test
    void prefixesLengthAndDimensionsAreAsAskedFor() throws IOException {
        TinyModel.write(models().resolve("tiny"));
        ModelSpec spec =
                tiny(
                        "tiny",
                        "query_prefix",
                        "query: ",
                        "document_prefix",
                        "passage: ",
                        "max_tokens",
                        3L);
        try (LocalModel model = load(spec)) {
            assertThat(embed(model, TextKind.QUERY, "two")).containsExactly(5, 1);
            assertThat(embed(model, TextKind.DOCUMENT, "two")).containsExactly(0, 6);
            // The prefix counts: of three words the third is beyond what the model sees.
            assertThat(embed(model, TextKind.QUERY, "two one three three"))
                    .containsExactly(new float[] {11f / 3, 2f / 3}, within());
            assertThat(embed(model, new VectorForm(2, true), TextKind.DOCUMENT, "two"))
                    .containsExactly(0, 1);
            assertThat(embed(model, new VectorForm(1, true), TextKind.QUERY, "two"))
                    .containsExactly(1);
            assertThat(embed(model, new VectorForm(1, false), TextKind.QUERY, "two"))
                    .containsExactly(5);
            assertThatThrownBy(() -> embed(model, new VectorForm(3, true), TextKind.QUERY, "two"))
                    .hasMessageContaining("'dimensions' is 3");
        }
    }

    private static Offset<Float> within() {
        return Offset.offset(1e-6f);
    }

    @Test
    void aTextWithoutTokensHasAVector() throws IOException {
        TinyModel.write(models().resolve("tiny"));
        try (LocalModel model = load(tiny("tiny"))) {
            assertThat(embed(model, TextKind.DOCUMENT, "")).containsExactly(0.5f, -0.5f);
        }
    }

    @Test
    void aHuggingFaceCacheWillDo() throws IOException {
        ModelSpec spec = tiny("tiny", "repository", "org/tiny");
        assertThat(ModelStore.isPresent(spec, models(), hub())).isFalse();
        assertThatThrownBy(() -> load(spec))
                .hasCauseInstanceOf(NeuralCoreException.class)
                .hasMessageContainingAll(
                        "model.onnx", models().resolve("tiny").toString(), hub().toString());
        Path repository = hub().resolve("models--org--tiny");
        TinyModel.write(repository.resolve("snapshots/0ld"));
        Files.writeString(repository.resolve("snapshots/0ld/model.onnx"), "not this one");
        Path wanted = TinyModel.write(repository.resolve("snapshots/a1"));
        Files.createDirectories(wanted.resolve("onnx"));
        Files.move(wanted.resolve("model.onnx"), wanted.resolve("onnx/model.onnx"));
        Files.createDirectories(repository.resolve("refs"));
        Files.writeString(repository.resolve("refs/main"), "a1\n");
        assertThat(ModelStore.isPresent(spec, models(), hub())).isTrue();
        try (LocalModel model = load(spec)) {
            assertThat(embed(model, TextKind.DOCUMENT, "one")).containsExactly(1, 0);
        }
    }

    @Test
    void aModelOfAPathIsNamedByWhatItIs() throws IOException {
        Path given = TinyModel.write(folder.resolve("some where"));
        Models none = new Models(List.of(), Map.of());
        Map<String, Object> params = new LinkedHashMap<>(Map.of("path", given.toString()));
        assertThatThrownBy(() -> GivenModel.of(new Params(new LinkedHashMap<>(params)), none))
                .hasMessageContaining("dimension");
        for (String bad : List.of("\0", "[2]", "{}", "{\"hidden_size\": \"two\"}")) {
            Files.writeString(given.resolve("config.json"), bad);
            assertThatThrownBy(() -> GivenModel.of(new Params(new LinkedHashMap<>(params)), none))
                    .as(bad)
                    .isInstanceOfSatisfying(
                            NeuralCoreException.class,
                            e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST))
                    .hasMessageContaining(given.resolve("config.json").toString());
        }
        Files.writeString(given.resolve("config.json"), "{\"hidden_size\": 2}");
        ModelSpec spec = GivenModel.of(new Params(new LinkedHashMap<>(params)), none);
        assertThat(GivenModel.of(new Params(new LinkedHashMap<>(params)), none).name())
                .isEqualTo(spec.name())
                .startsWith("somewhere-");
        params.put("config", Map.of("pooling", "max"));
        assertThat(GivenModel.of(new Params(new LinkedHashMap<>(params)), none).name())
                .isNotEqualTo(spec.name());
        try (LocalModel model = load(spec)) {
            assertThat(embed(model, TextKind.DOCUMENT, "two")).containsExactly(0, 1);
        }
        for (String path : List.of("relative", folder.resolve("nothing").toString())) {
            assertThatThrownBy(() -> GivenModel.of(new Params(Map.of("path", path)), none))
                    .as(path)
                    .isInstanceOf(NeuralCoreException.class);
        }
    }

    @Test
    void whatIsNoModelIsAnError() throws IOException {
        Path tiny = TinyModel.write(models().resolve("tiny"));
        byte[] network = Files.readAllBytes(tiny.resolve("model.onnx"));
        for (byte[] bad :
                List.of(
                        "not a network".getBytes(StandardCharsets.UTF_8),
                        Arrays.copyOf(network, network.length / 2),
                        TinyModel.network("../../secret"),
                        TinyModel.network("/etc/passwd"),
                        TinyModel.network("beside"))) {
            Files.write(tiny.resolve("model.onnx"), bad);
            assertThatThrownBy(() -> load(tiny("tiny")))
                    .hasCauseInstanceOf(NeuralCoreException.class)
                    .hasMessageContaining(tiny.resolve("model.onnx").toString())
                    .hasMessageNotContaining(".part");
        }
        assertThatThrownBy(() -> load(tiny("tiny"))).hasMessageContaining("one file of all");
        Files.write(tiny.resolve("model.onnx"), network);
        assertThatThrownBy(() -> load(tiny("tiny", "dimension", 3L)))
                .hasMessageContaining("vectors of 3 numbers");
        assertThatThrownBy(() -> load(tiny("tiny", "inputs", List.of("ids", "mask"))))
                .hasMessageContaining("input_ids");
        for (String bad : List.of("", "{}", "[1]", "{\"model\": {\"type\": \"BPE\"}}")) {
            Files.writeString(tiny.resolve("tokenizer.json"), bad);
            assertThatThrownBy(() -> load(tiny("tiny")))
                    .as(bad)
                    .hasCauseInstanceOf(NeuralCoreException.class)
                    .hasMessageContaining(tiny.resolve("tokenizer.json").toString())
                    .satisfies(
                            e ->
                                    assertThat(((NeuralCoreException) e.getCause()).code())
                                            .isEqualTo(ErrorCode.MODEL_NOT_FOUND));
        }
    }

    @Test
    void aVectorThatIsNotFiniteIsAnError() throws IOException {
        Path tiny = TinyModel.write(models().resolve("tiny"));
        float[][] table = TinyModel.TABLE.clone();
        table[1] = new float[] {1, Float.NaN};
        table[2] = new float[] {Float.POSITIVE_INFINITY, 2};
        Files.write(tiny.resolve("model.onnx"), TinyModel.network(null, table));
        try (LocalModel model = load(tiny("tiny"))) {
            for (String text : List.of("one", "two", "three one")) {
                assertThatThrownBy(() -> embed(model, TextKind.DOCUMENT, text))
                        .as(text)
                        .hasMessageContaining("not finite");
            }
            assertThat(embed(model, TextKind.DOCUMENT, "query:")).containsExactly(10, 0);
        }
    }

    @Test
    void aProviderThatIsNotThereGivesWayToTheProcessor() throws IOException {
        TinyModel.write(models().resolve("tiny"));
        Provider gpu = new Provider(Provider.Kind.CUDA, 99, 1 << 20);
        try (LocalModel model =
                (LocalModel)
                        ModelLoader.load(
                                        new EmbeddingModel.Source(
                                                tiny("tiny"),
                                                models(),
                                                hub(),
                                                folder.resolve("cache"),
                                                1,
                                                Precision.Choice.AUTO,
                                                gpu,
                                                Isolation.INPROCESS))
                                .join()) {
            assertThat(model.provider()).isEqualTo(Provider.CPU);
            assertThat(embed(model, TextKind.DOCUMENT, "one")).containsExactly(1, 0);
        }
    }
}
