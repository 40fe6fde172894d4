package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelLoaderTest {

    private static EmbeddingModel.Source source(Path cache) {
        return TestModel.source(Path.of("target/no-models"), cache, Precision.Choice.FP32);
    }

    /** With an empty cache: the whole way from the class path to a vector. */
    @Test
    void aFirstStartMakesEverythingItself(@TempDir Path cache) {
        try (EmbeddingModel model = ModelLoader.load(source(cache)).join()) {
            assertThat(model.encode(List.of("hello world"))[0]).hasSize(4);
        }
    }

    @Test
    void whatWasPreloadedIsHandedOutOnce() {
        EmbeddingModel.Source source = source(TestModel.CACHE);
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
        EmbeddingModel.Source blocked = source(Path.of("pom.xml/cache"));
        ModelLoader.preload(blocked);
        assertThatThrownBy(() -> ModelLoader.load(blocked).join())
                .isInstanceOf(CompletionException.class)
                .hasCauseInstanceOf(NeuralCoreException.class);
    }
}
