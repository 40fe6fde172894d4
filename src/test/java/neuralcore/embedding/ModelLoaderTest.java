package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelLoaderTest {

    private static EmbeddingModel.Source source(String name, Path cache) {
        return new EmbeddingModel.Source(
                name, Path.of("target/no-models"), cache, 1, Precision.Choice.FP32);
    }

    /** With an empty cache: the whole way from the class path to a vector. */
    @Test
    void aFirstStartMakesEverythingItself(@TempDir Path cache) {
        try (EmbeddingModel model = ModelLoader.load(source("all-MiniLM-L6-v2", cache)).join()) {
            assertThat(model.tokenizer().encode("hello world")).hasSize(4);
        }
    }

    @Test
    void whatWasPreloadedIsHandedOutOnce() {
        EmbeddingModel.Source source = source("all-MiniLM-L6-v2", TestModel.CACHE);
        ModelLoader.preload(source);
        ModelLoader.preload(source);
        CompletableFuture<EmbeddingModel> first = ModelLoader.load(source);
        CompletableFuture<EmbeddingModel> second = ModelLoader.load(source);
        try (EmbeddingModel a = first.join();
                EmbeddingModel b = second.join()) {
            assertThat(a).isNotSameAs(b);
        }
    }

    @Test
    void aFailureReachesWhoeverWaits() {
        ModelLoader.preload(source("gpt-9", TestModel.CACHE));
        assertThatThrownBy(() -> ModelLoader.load(source("gpt-9", TestModel.CACHE)).join())
                .isInstanceOf(CompletionException.class)
                .hasCauseInstanceOf(NeuralCoreException.class);
    }
}
