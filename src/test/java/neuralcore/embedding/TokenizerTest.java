package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {
    private static final int CLS = 101;
    private static final int SEP = 102;

    private final Tokenizer tokenizer = TestModel.get().tokenizer();

    @Test
    void textsWithoutWordsAreTheTwoSpecialTokens() {
        for (String text : List.of("", " ", "\n\t ", "\0", "\uFFFD", "\uD83D", "\uDE00\uDE00")) {
            assertThat(tokenizer.encode(text)).as(text).containsExactly(CLS, SEP);
        }
    }

    @Test
    void aLongTextIsCutTo256TokensWithTheLastBeingSep() {
        int[] ids = tokenizer.encode("time ".repeat(10_000));
        assertThat(ids).hasSize(256).startsWith(CLS, 2051).endsWith(2051, SEP);
        assertThat(tokenizer.encode("time ".repeat(254))).hasSize(256);
        assertThat(tokenizer.encode("time ".repeat(253))).hasSize(255);
    }

    @Test
    void anUnpairedSurrogateCountsAsReplacementCharacter() {
        assertThat(Tokenizer.wellFormed("a\uD83Db\uDE00\uD83D\uDE00\uD83D"))
                .isEqualTo("a\uFFFDb\uFFFD\uD83D\uDE00\uFFFD");
        String pairs = "all \uD83D\uDE00 good";
        assertThat(Tokenizer.wellFormed(pairs)).isSameAs(pairs);
        assertThat(tokenizer.encode("hello \uD83D world"))
                .isEqualTo(tokenizer.encode("hello \uFFFD world"));
    }

    @Test
    void equalTextsShareTheirIds() {
        int[][] ids = tokenizer.encode(List.of("one", "two", "one"));
        assertThat(ids[0]).isSameAs(ids[2]).isNotEqualTo(ids[1]);
    }

    /** Cutting a long text before it is tokenized must not be seen in its ids. */
    @Test
    void cuttingFirstChangesNothing() {
        CacheFolder cache = CacheFolder.open(TestModel.CACHE);
        Path json =
                new ModelStore(Path.of("none"), Path.of("none"), cache)
                        .tokenizer(Models.ALL_MINILM_L6_V2);
        long seed = System.nanoTime();
        Random random = new Random(seed);
        try (Tokenizer whole = Tokenizer.open(cache, json, 32, Integer.MAX_VALUE);
                Tokenizer cut = Tokenizer.open(cache, json, 32, 20)) {
            for (int i = 0; i < 3000; i++) {
                String text = text(random);
                assertThat(cut.encode(text))
                        .as("seed %d, text %d: '%s'", seed, i, text)
                        .isEqualTo(whole.encode(text));
            }
            for (Golden golden : Golden.read()) {
                assertThat(cut.encode(golden.text()))
                        .as(golden.shown())
                        .isEqualTo(whole.encode(golden.text()));
            }
        }
    }

    private static String text(Random random) {
        String[] pieces = {
            " ",
            "  ",
            "\n",
            "\0",
            "\u0301",
            "word",
            "Unbelievable",
            "x".repeat(101),
            "中",
            "文",
            ".",
            ",",
            "]",
            "[",
            "[SEP]",
            "[MASK]",
            " [MASK] ",
            "[UNK",
            "e\u0301",
            "\u00a0",
            "É",
            "😀",
            "ß",
            "\u200d",
            "-",
            "don't",
            "Σ",
            "ΑΣ",
            "\u3000",
            "\r",
            "#",
            "##ing",
            "\uD83D",
        };
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(120);
        for (int i = 0; i < length; i++) {
            text.append(pieces[random.nextInt(pieces.length)]);
        }
        return text.toString();
    }

    @Test
    void aFileThatIsNoTokenizerIsRefused(@TempDir Path folder) throws IOException {
        CacheFolder cache = CacheFolder.open(TestModel.CACHE);
        Path json = folder.resolve("tokenizer.json");
        Files.writeString(json, "{\"version\": ");
        assertThatThrownBy(() -> Tokenizer.open(cache, json, 256))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_NOT_FOUND))
                .hasMessageContaining("tokenizer.json");
    }

    @Test
    void afterCloseItSaysSo() {
        CacheFolder cache = CacheFolder.open(TestModel.CACHE);
        Path json =
                new ModelStore(Path.of("none"), Path.of("none"), cache)
                        .tokenizer(Models.ALL_MINILM_L6_V2);
        Tokenizer closed = Tokenizer.open(cache, json, 256);
        closed.close();
        closed.close();
        assertThatThrownBy(() -> closed.encode("text")).hasMessageContaining("unloaded");
    }
}
