package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.onnxruntime.OrtEnvironment;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OnnxModelTest {
    private static final Path SMAPS = Path.of("/proc/self/smaps");

    @Test
    void poolingLeavesPaddingOut() {
        // Two texts of two tokens with two dimensions; the second has one token and padding.
        FloatBuffer tokens = FloatBuffer.wrap(new float[] {1, 2, 3, 6, 5, 7, 1000, -1000});
        float[] vector = new float[2];
        Pooling.MEAN.pool(tokens, 0, 2, new float[2], vector);
        assertThat(vector).containsExactly(2, 4);
        Pooling.MEAN.pool(tokens, 4, 1, new float[2], vector);
        assertThat(vector).containsExactly(5, 7);
        Pooling.CLS.pool(tokens, 4, 1, new float[2], vector);
        assertThat(vector).containsExactly(5, 7);
        Pooling.CLS.pool(tokens, 0, 2, new float[2], vector);
        assertThat(vector).containsExactly(1, 2);
        Pooling.MEAN_WITH_ATTENTION.pool(tokens, 4, 1, new float[2], vector);
        assertThat(vector).containsExactly(5, 7);
        FloatBuffer mixed = FloatBuffer.wrap(new float[] {1, 9, 3, -6, 1000, 1000});
        Pooling.MAX.pool(mixed, 0, 2, new float[2], vector);
        assertThat(vector).containsExactly(3, 9);
        Pooling.LAST_TOKEN.pool(mixed, 0, 2, new float[2], vector);
        assertThat(vector).containsExactly(3, -6);
    }

    @Test
    void normalizingGivesLengthOneAndLeavesZeros() {
        float[] vector = {3, -4};
        Pooling.normalize(vector);
        assertThat(vector).containsExactly(0.6f, -0.8f);
        float[] zeros = {0, 0};
        Pooling.normalize(zeros);
        assertThat(zeros).containsExactly(0, 0);
    }

    @Test
    void aBatchTravelsAsTensors() {
        TokenBatch batch = TokenBatch.of(List.of(new int[] {1, 2, 3}, new int[] {4}));
        List<Tensor> tensors = batch.toTensors();
        TokenBatch back = TokenBatch.of(new Request("a", Params.EMPTY, tensors));
        assertThat(back.ids()).containsExactly(1, 2, 3, 4);
        assertThat(back.lengths()).containsExactly(3, 1);
        assertThat(back.width()).isEqualTo(3);
        assertThatThrownBy(() -> new TokenBatch(new int[3], new int[] {2}))
                .hasMessageContaining("3 ids");
        assertThatThrownBy(() -> new TokenBatch(new int[0], new int[] {0}))
                .hasMessageContaining("0 tokens");
    }

    @Test
    void whatASessionHasReadOfTheNetworkDoesNotStayInMemory() throws IOException {
        assumeTrue(Files.isReadable(SMAPS), "only Linux tells what of a file is in memory");
        Map<String, Long> before = mappedNetworks("Rss:");
        EmbeddingModel.Source source =
                TestModel.source(
                        Path.of("target/no-models"), TestModel.CACHE, Precision.Choice.FP32);
        try (EmbeddingModel model = LocalModel.load(source, Runnable::run)) {
            Map<String, Long> resident = mappedNetworks("Rss:");
            Map<String, Long> sizes = mappedNetworks("Size:");
            resident.keySet().removeAll(before.keySet());
            assertThat(resident).hasSize(1);
            // What stays is what the run for the first text has used, in pages of up to 2 MiB: 37 %
            // of a file that has just been written, 2 % of one that lies in small pages.
            resident.forEach((at, kib) -> assertThat(kib).isLessThan(sizes.get(at) * 2 / 5));
        }
        assertThat(mappedNetworks("Rss:")).as("it is closed").hasSameSizeAs(before);
    }

    /** Of each mapped network of this process, by its address, a value in KiB. */
    private static Map<String, Long> mappedNetworks(String value) throws IOException {
        Map<String, Long> found = new HashMap<>();
        String network = "";
        for (String line : Files.readAllLines(SMAPS)) {
            String[] words = line.split(" +");
            if (words[0].contains("-")) {
                network = line.endsWith(".ort") ? words[0] : "";
            } else if (words[0].equals(value) && !network.isEmpty()) {
                found.put(network, Long.valueOf(words[1]));
            }
        }
        return found;
    }

    @Test
    void idsThatTheModelDoesNotKnowAreAnErrorAndNotTheEnd() {
        EmbeddingModel.BatchRunner runner = TestModel.get().newRunner();
        FloatBuffer vectors = FloatBuffer.allocate(384);
        assertThatThrownBy(
                        () ->
                                runner.run(
                                        TokenBatch.of(List.of(new int[] {101, 9_999_999, 102})),
                                        vectors))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
        assertThatThrownBy(() -> runner.run(TokenBatch.of(List.of(new int[257])), vectors))
                .hasMessageContaining("257 tokens");
        runner.run(TokenBatch.of(List.of(new int[] {101, 102})), vectors);
        assertThat(vectors.get(0)).isNotZero();
    }

    @Test
    void aDamagedGraphIsToldWithWhatToDo(@TempDir Path folder) throws IOException {
        CacheFolder cache = CacheFolder.open(folder);
        ModelStore store = new ModelStore(Path.of("none"), Path.of("none"), cache);
        NativeLibraries.provideOnnxRuntime(CacheFolder.open(TestModel.CACHE));
        String version = OrtEnvironment.getEnvironment().getVersion();
        String name =
                Models.ALL_MINILM_L6_V2.graph().sha256().substring(0, 12)
                        + "-onnxruntime-"
                        + version
                        + (Processor.multipliesInt8() ? "" : "-u8")
                        + ".ort";
        Path graph = folder.resolve("models/all-MiniLM-L6-v2").resolve(name);
        Files.createDirectories(graph.getParent());
        Files.write(graph, new byte[1000]);
        assertThatThrownBy(
                        () ->
                                OnnxModel.open(
                                        Models.ALL_MINILM_L6_V2,
                                        store,
                                        cache,
                                        1,
                                        Provider.CPU,
                                        Runnable::run))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_NOT_READY))
                .hasMessageContaining("Delete " + graph);
    }
}
