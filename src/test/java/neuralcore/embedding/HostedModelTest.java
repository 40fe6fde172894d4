package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Models in processes of their own, which are killed. */
class HostedModelTest {
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    @TempDir private Path folder;

    private EmbeddingModel.Source source(Isolation isolation) {
        return new EmbeddingModel.Source(
                ModelCatalog.describe(
                        "tiny", new Params(Map.of("dimension", 2L, "max_tokens", 100L)), null),
                folder,
                folder.resolve("hub"),
                folder.resolve("cache"),
                1,
                Precision.Choice.FP32,
                Provider.CPU,
                isolation);
    }

    private HostedModel start(Duration run) {
        return HostedModel.start(source(Isolation.PROCESS), Duration.ofHours(1), run);
    }

    private static float[] embed(EmbeddingModel model, String text) {
        float[] vector = new float[2];
        model.newRunner()
                .run(TokenBatch.of(List.of(model.encode(List.of(text)))), FloatBuffer.wrap(vector));
        return vector;
    }

    /** The next vector that it gives, however often it has to be asked. */
    private static float[] embedAgain(EmbeddingModel model, String text)
            throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try {
                return embed(model, text);
            } catch (NeuralCoreException e) {
                assertThat(e.code()).isEqualTo(ErrorCode.UNAVAILABLE);
                assertThat(e.retryAfterSeconds()).isPositive();
                assertThat(System.nanoTime()).isLessThan(end);
                Thread.sleep(20);
            }
        }
    }

    private static void kill(HostedModel model) throws Exception {
        ProcessHandle process = model.process();
        process.destroyForcibly();
        process.onExit().get(PATIENCE.toSeconds(), java.util.concurrent.TimeUnit.SECONDS);
    }

    @Test
    void whatIsWrongWithARequestIsToldAsInThisProcess() throws Exception {
        TinyModel.write(folder.resolve("tiny"));
        try (HostedModel model = start(Duration.ofHours(1))) {
            TokenBatch unknown = TokenBatch.of(List.of(new int[] {9_999_999}));
            assertThatThrownBy(() -> model.newRunner().run(unknown, FloatBuffer.allocate(2)))
                    .isInstanceOfSatisfying(
                            NeuralCoreException.class,
                            e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST))
                    .hasMessageContaining("tiny");
            assertThat(embed(model, "two")).containsExactly(0, 2);
        }
    }

    @Test
    void aKilledProcessIsReplacedAndTheThirdTimeItIsNot() throws Exception {
        TinyModel.write(folder.resolve("tiny"));
        try (HostedModel model = start(Duration.ofHours(1))) {
            assertThat(model.spec().precision()).isEqualTo(Precision.FP32);
            assertThat(embed(model, "one two")).containsExactly(0.5f, 1);
            for (int i = 0; i < 2; i++) {
                kill(model);
                assertThat(embedAgain(model, "two")).containsExactly(0, 2);
            }
            kill(model);
            long end = System.nanoTime() + PATIENCE.toNanos();
            ErrorCode last = ErrorCode.UNAVAILABLE;
            while (last == ErrorCode.UNAVAILABLE && System.nanoTime() < end) {
                try {
                    embed(model, "two");
                } catch (NeuralCoreException e) {
                    last = e.code();
                }
            }
            assertThat(last).isEqualTo(ErrorCode.MODEL_NOT_READY);
            assertThatThrownBy(() -> embed(model, "two")).hasMessageContaining("3 times");
            assertThat(model.unusable().getNow(null)).hasMessageContaining("3 times");
        }
    }

    @Test
    @DisabledOnOs(value = OS.WINDOWS, disabledReason = "there is no SIGSTOP")
    void aProcessThatDoesNotAnswerIsReplaced() throws Exception {
        TinyModel.write(folder.resolve("tiny"));
        try (HostedModel model = start(Duration.ofSeconds(2))) {
            ProcessHandle stuck = model.process();
            assertThat(new ProcessBuilder("kill", "-STOP", "" + stuck.pid()).start().waitFor())
                    .isZero();
            assertThatThrownBy(() -> embed(model, "two"))
                    .isInstanceOfSatisfying(
                            NeuralCoreException.class,
                            e -> assertThat(e.code()).isEqualTo(ErrorCode.UNAVAILABLE))
                    .hasMessageContaining("did not answer");
            assertThat(embedAgain(model, "two")).containsExactly(0, 2);
            assertThat(stuck.isAlive()).isFalse();
        }
    }

    @Test
    void whatEndsTheProcessItIsTriedOutInIsNoFaultThatPasses() throws IOException {
        Path tiny = TinyModel.write(folder.resolve("tiny"));
        Files.writeString(tiny.resolve("tokenizer.json"), TinyModel.deadlyTokenizer());
        for (Isolation isolation : List.of(Isolation.AUTO, Isolation.PROCESS)) {
            assertThatThrownBy(() -> ModelLoader.load(source(isolation)).join())
                    .as(isolation.name())
                    .cause()
                    .isInstanceOfSatisfying(
                            NeuralCoreException.class,
                            e -> assertThat(e.code()).isEqualTo(ErrorCode.NOT_SUPPORTED))
                    .hasMessageContaining("its tokenizer may be broken");
        }
    }

    @Test
    void itIsWhatItIsInThisProcess() throws IOException {
        TinyModel.write(folder.resolve("tiny"));
        List<String> texts = List.of("one", "", "one three two two", "\uD83D two");
        try (EmbeddingModel here = ModelLoader.load(source(Isolation.INPROCESS)).join();
                EmbeddingModel there = ModelLoader.load(source(Isolation.PROCESS)).join()) {
            assertThat(there).isInstanceOf(HostedModel.class);
            assertThat(there.encode(texts)).isDeepEqualTo(here.encode(texts));
            for (String text : texts) {
                assertThat(embed(there, text)).containsExactly(embed(here, text));
            }
            assertThatThrownBy(
                            () ->
                                    there.newRunner()
                                            .run(
                                                    TokenBatch.of(List.of(new int[] {99})),
                                                    FloatBuffer.allocate(2)))
                    .isInstanceOf(NeuralCoreException.class);
            assertThat(embed(there, "two")).containsExactly(0, 2);
        }
    }

    @Test
    void aModelIsTriedOutElsewhereFirstAndOnce() throws Exception {
        Path tiny = TinyModel.write(folder.resolve("tiny"));
        try (EmbeddingModel model = ModelLoader.load(source(Isolation.AUTO)).join()) {
            assertThat(model).isInstanceOf(LocalModel.class);
        }
        Path checked = folder.resolve("cache/checked");
        assertThat(checked.toFile().list()).hasSize(1);
        Files.write(tiny.resolve("model.onnx"), new byte[] {1, 2, 3});
        assertThatThrownBy(() -> ModelLoader.load(source(Isolation.AUTO)).join())
                .hasCauseInstanceOf(NeuralCoreException.class);
        assertThat(checked.toFile().list()).hasSize(1);
        assertThat(ModelCheck.isKnown(Models.ALL_MINILM_L6_V2)).isTrue();
    }
}
