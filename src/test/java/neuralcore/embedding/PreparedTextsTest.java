package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PreparedTextsTest {
    private static final VectorCache NOTHING = new VectorCache(0);

    @TempDir private static Path folder;

    private static final class Holder {
        private static final EmbeddingModel MODEL = load();

        private static EmbeddingModel load() {
            try {
                TinyModel.write(folder.resolve("tiny"));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            ModelSpec spec =
                    ModelCatalog.describe(
                            "tiny", new Params(Map.of("dimension", 2L, "max_tokens", 4L)), null);
            return ModelLoader.load(
                            TestModel.source(
                                    spec, folder, folder.resolve("cache"), Precision.Choice.FP32))
                    .join();
        }
    }

    /** Each text is one token, a number of its own; those known are looked up. */
    static PreparedTexts of(VectorCache cache, List<String> texts) {
        EmbedCall call = call(Map.of("texts", texts));
        return PreparedTexts.of(call, new WordModel(new ArrayList<>()), cache);
    }

    /** A model that has a token for each text, and notes what it is given. */
    private record WordModel(List<String> given) implements EmbeddingModel {
        @Override
        public ModelSpec spec() {
            return ModelCatalog.describe("words", new Params(Map.of("dimension", 2L)), null);
        }

        @Override
        public Provider provider() {
            return Provider.CPU;
        }

        @Override
        public int[][] encode(List<String> texts) {
            given.addAll(texts);
            return texts.stream().map(text -> new int[] {text.hashCode()}).toArray(int[][]::new);
        }

        @Override
        public BatchRunner newRunner() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }

    private static EmbedCall call(Map<String, Object> params) {
        return EmbedCall.of(new Request("a", new Params(new HashMap<>(params)), List.of()));
    }

    @Test
    void textsBecomeTheIdsOfTheirWords() {
        PreparedTexts texts =
                PreparedTexts.of(
                        call(Map.of("texts", List.of("one two", "?"))), Holder.MODEL, NOTHING);
        assertThat(texts.ids(0)).containsExactly(1, 2);
        assertThat(texts.ids(1)).containsExactly(0);
        assertThat(texts.known(0)).isNull();
        assertThat(texts.key(0)).isNull();
    }

    @Test
    void equalTextsAreTokenizedOnce() {
        EmbedCall call = call(Map.of("texts", List.of("b", "a", "b", "c", "a", "b")));
        for (VectorCache cache : List.of(NOTHING, new VectorCache(1 << 20))) {
            WordModel model = new WordModel(new ArrayList<>());
            PreparedTexts texts = PreparedTexts.of(call, model, cache);
            assertThat(model.given()).containsExactly("b", "a", "c");
            for (int i = 0; i < texts.count(); i++) {
                assertThat(texts.ids(i)).containsExactly(call.texts().get(i).hashCode());
            }
        }
    }

    @Test
    void tokenIdsAreTakenAsTheyAreAndCut() {
        EmbedCall call =
                call(Map.of("token_ids", List.of(List.of(5L, 4L, 3L, 2L, 1L), List.of(1L))));
        assertThat(call.count()).isEqualTo(2);
        assertThat(call.alone()).as("others' texts are not to fail with them").isTrue();
        PreparedTexts texts = PreparedTexts.of(call, Holder.MODEL, NOTHING);
        assertThat(texts.ids(0)).containsExactly(5, 4, 3, 2);
        assertThat(texts.ids(1)).containsExactly(1);
        for (Object bad :
                List.of(
                        List.of(),
                        List.of(-1L),
                        List.of("one"),
                        List.of(1.5),
                        List.of(1L << 40),
                        7L)) {
            EmbedCall wrong = call(Map.of("token_ids", List.of(bad)));
            assertThatThrownBy(() -> PreparedTexts.of(wrong, Holder.MODEL, NOTHING))
                    .as("%s", bad)
                    .isInstanceOf(NeuralCoreException.class);
        }
    }

    @Test
    void tokensAreCountedAsTheModelSeesThem() {
        EmbedCall call = call(Map.of("texts", List.of("one", "one two three one two")));
        assertThat(call.count(Holder.MODEL)).containsExactly(1, 4);
    }

    @Test
    void onlyTextsOfAKindGetItsPrefix() {
        ModelSpec spec =
                ModelCatalog.describe(
                        "e5",
                        new Params(
                                Map.of(
                                        "dimension", 2L,
                                        "query_prefix", "query: ",
                                        "document_prefix", "passage: ")),
                        null);
        assertThat(call(Map.of("texts", List.of())).prefix(spec)).isEqualTo("passage: ");
        assertThat(call(Map.of("kind", "query", "texts", List.of())).prefix(spec))
                .isEqualTo("query: ");
        assertThat(call(Map.of("kind", "plain", "texts", List.of())).prefix(spec)).isEmpty();
        assertThatThrownBy(() -> call(Map.of("kind", "verse", "texts", List.of())))
                .hasMessageContaining("verse");
    }
}
