package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletionException;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The int8 network, which {@code ./neuralcore build} makes, and how it is chosen. */
class PrecisionTest {
    private static final String NAME = "all-MiniLM-L6-v2";

    @TempDir private Path folder;

    private static EmbeddingModel load(Path models, Precision.Choice choice) {
        return ModelLoader.load(TestModel.source(models, TestModel.CACHE, choice)).join();
    }

    private static float[] embed(EmbeddingModel model, List<String> texts) {
        List<int[]> ids = List.of(model.encode(texts));
        float[] vectors = new float[texts.size() * model.spec().dimension()];
        model.newRunner().run(TokenBatch.of(ids), FloatBuffer.wrap(vectors));
        return vectors;
    }

    @Test
    void everyGoldenTextHasNearlyTheReferencesVectorAloneAndInBatches() {
        List<Golden> goldens = Golden.read();
        try (EmbeddingModel model = load(Int8TestModel.folder(), Precision.Choice.INT8)) {
            assertThat(model.spec().precision()).isEqualTo(Precision.INT8);
            for (int size : List.of(1, 5)) {
                for (int from = 0; from + size <= goldens.size(); from += size) {
                    List<Golden> part = goldens.subList(from, from + size);
                    float[] vectors = embed(model, part.stream().map(Golden::text).toList());
                    for (int i = 0; i < size; i++) {
                        float[] vector = Arrays.copyOfRange(vectors, i * 384, (i + 1) * 384);
                        assertThat(TestModel.cosine(vector, part.get(i).vector()))
                                .as("%s in a batch of %d", part.get(i).shown(), size)
                                .isGreaterThanOrEqualTo(0.99);
                    }
                }
            }
        }
    }

    @Test
    void threadsChangeNoBitOfAVector() {
        for (Precision.Choice choice : List.of(Precision.Choice.FP32, Precision.Choice.INT8)) {
            List<List<float[]>> vectors = new ArrayList<>();
            for (int threads : List.of(1, 2)) {
                EmbeddingModel.Source source =
                        TestModel.source(
                                Models.ALL_MINILM_L6_V2,
                                Int8TestModel.folder(),
                                TestModel.CACHE,
                                choice,
                                threads);
                try (EmbeddingModel model = ModelLoader.load(source).join()) {
                    vectors.add(
                            Golden.read().stream()
                                    .map(golden -> embed(model, List.of(golden.text())))
                                    .toList());
                }
            }
            for (int text = 0; text < vectors.getFirst().size(); text++) {
                assertThat(vectors.get(1).get(text))
                        .as("text %d in %s", text, choice)
                        .containsExactly(vectors.get(0).get(text));
            }
        }
    }

    @Test
    void aShortTextAloneHasAllThreadsUnlessItsProductsAreFast() {
        EmbeddingModel.Source source =
                TestModel.source(
                        Models.ALL_MINILM_L6_V2, folder, TestModel.CACHE, Precision.Choice.AUTO, 0);
        int all = Runtime.getRuntime().availableProcessors();
        int few = Processor.multipliesInt8() ? 1 : all;
        assertThat(source.threadsIn(Precision.FP32)).isEqualTo(all);
        assertThat(source.threadsIn(Precision.INT8)).isEqualTo(few);
    }

    @Test
    void autoTakesInt8WhereTheProcessorHasIt() {
        try (EmbeddingModel model = load(Int8TestModel.folder(), Precision.Choice.AUTO)) {
            assertThat(model.spec().precision())
                    .isEqualTo(Processor.multipliesInt8() ? Precision.INT8 : Precision.FP32);
        }
    }

    @Test
    void aNetworkWhoseVectorsAreWrongIsNotTaken() throws IOException {
        Path made = Int8TestModel.folder().resolve(NAME);
        Path copy = Files.createDirectories(folder.resolve(NAME));
        Files.copy(made.resolve("model_int8.onnx"), copy.resolve("model_int8.onnx"));
        String report = Files.readString(made.resolve("model_int8.json"));
        Files.writeString(
                copy.resolve("model_int8.json"),
                report.replaceFirst("(\"vector\": \\[\\s*)", "$10.9, ")
                        .replaceFirst("(?s)(\"vector\": \\[.*?),\\s*[-0-9.e]+(\\s*\\])", "$1$2"));
        try (EmbeddingModel model = load(folder, Precision.Choice.AUTO)) {
            assertThat(model.spec().precision()).isEqualTo(Precision.FP32);
        }
        assertThatThrownBy(() -> load(folder, Precision.Choice.INT8))
                .isInstanceOf(CompletionException.class)
                .hasMessageContaining("wrong vectors");
    }

    @Test
    void askingForWhatIsNotThereSaysWhichFilesGoWhere() {
        ModelSpec spec = Models.ALL_MINILM_L6_V2;
        if (Int8Network.find(spec, folder).isPresent()) {
            return;
        }
        assertThatThrownBy(() -> load(folder, Precision.Choice.INT8))
                .hasCauseInstanceOf(NeuralCoreException.class)
                .hasMessageContainingAll("model_int8.onnx", folder.resolve(NAME).toString());
    }

    @Test
    void anFp16NetworkIsToldHowToBeMade() {
        assertThatThrownBy(() -> load(folder, Precision.Choice.FP16))
                .hasCauseInstanceOf(NeuralCoreException.class)
                .hasMessageContainingAll(
                        "models convert " + NAME + " --form fp16",
                        "model_fp16.onnx",
                        folder.resolve(NAME).toString())
                .hasMessageNotContaining("Maven");
    }

    @Test
    void aReportThatIsNoneIsAnErrorThatNamesIt() throws IOException {
        Files.createDirectories(folder.resolve(NAME));
        for (String report :
                List.of("[]", "{}", "{\"bytes\": 1, \"sha256\": \"\", \"probes\": 3}")) {
            Files.writeString(folder.resolve(NAME).resolve("model_int8.json"), report);
            assertThatThrownBy(() -> Int8Network.find(Models.ALL_MINILM_L6_V2, folder))
                    .as(report)
                    .isInstanceOf(NeuralCoreException.class);
        }
    }

    @Test
    void aNetworkIsHeldToNinetyNineHundredthsOrToWhatItWasMeasuredToBe() throws IOException {
        for (String measured : List.of("", "\"cosine_minimum\": 0.998,")) {
            assertThat(agreesAt(0.9905, measured)).isTrue();
            assertThat(agreesAt(0.9895, measured)).isFalse();
        }
        assertThat(agreesAt(0.979, "\"cosine_minimum\": 0.98,")).isTrue();
        assertThat(agreesAt(0.977, "\"cosine_minimum\": 0.98,")).isFalse();
        assertThat(agreesAt(Double.NaN, "")).isFalse();
    }

    /** Whether a vector of this cosine to a report's one probe is taken. */
    private boolean agreesAt(double cosine, String measured) throws IOException {
        float[] probe = new float[384];
        probe[0] = 1;
        Files.createDirectories(folder.resolve(NAME));
        Files.writeString(
                folder.resolve(NAME).resolve("model_int8.json"),
                "{%s \"bytes\": 1, \"sha256\": \"%s\", \"probes\": [{\"text\": \"?\", \"vector\": %s}]}"
                        .formatted(measured, "0".repeat(64), Arrays.toString(probe)));
        float[] vector = new float[384];
        vector[0] = (float) cosine;
        vector[1] = (float) Math.sqrt(1 - cosine * cosine);
        return Int8Network.find(Models.ALL_MINILM_L6_V2, folder)
                .orElseThrow()
                .agrees(text -> vector);
    }

    @Test
    void processorsAreKnownByTheirDescription() {
        assertThat(Processor.describesDotProducts("flags\t: fpu avx2 avx512_vnni fsrm\n")).isTrue();
        assertThat(Processor.describesDotProducts("Features : fp asimd asimddp\n")).isTrue();
        assertThat(Processor.describesDotProducts("model: avx512_vnni\nflags : fpu avx2\n"))
                .isFalse();
        assertThat(Processor.describesDotProducts("")).isFalse();
    }

    @Test
    void textsThatAreToBeInvariantAreRunOneByOneAndTheOthersTogether() {
        EmbeddingScheduler scheduler = new EmbeddingScheduler(2, new BatchPlanner(1000), 100);
        scheduler.workerJoined("w", 10_000_000);
        long invariant = scheduler.admit("a", TextKind.DOCUMENT, 3, true);
        long ordinary = scheduler.admit("a", TextKind.DOCUMENT, 3);
        List<EmbeddingScheduler.Effect> effects =
                new ArrayList<>(scheduler.tokenized(invariant, new int[][] {{1, 2}, {3}, {1, 2}}));
        effects.addAll(scheduler.tokenized(ordinary, new int[][] {{4}, {5}, {6}}));
        List<Integer> sizes = new ArrayList<>();
        for (EmbeddingScheduler.Effect effect : effects) {
            if (effect instanceof EmbeddingScheduler.Effect.Run run) {
                sizes.add(run.batch().tokens().texts());
            }
        }
        assertThat(sizes).containsExactly(1, 1, 3);
    }

    @Test
    void bothChoicesOfTheSettingAreKnown() {
        assertThat(Precision.Choice.of("auto")).isEqualTo(Precision.Choice.AUTO);
        assertThat(Precision.Choice.of("int8")).isEqualTo(Precision.Choice.INT8);
        assertThat(Precision.INT8.shown()).isEqualTo("int8");
    }
}
