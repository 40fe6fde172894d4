package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelStoreTest {
    // The SHA-256 of "abc", from FIPS 180-2.
    private static final String ABC =
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    private static final ModelSpec SPEC =
            new ModelSpec(
                    "tiny",
                    List.of("small"),
                    "org/tiny",
                    4,
                    16,
                    Pooling.MEAN,
                    true,
                    "query: ",
                    "",
                    ModelSpec.BERT_INPUTS,
                    "out",
                    Precision.FP32,
                    new ModelFile("model.onnx", "", 3, ABC),
                    new ModelFile("tokenizer.json", "", 3, ABC),
                    "its authors");

    @TempDir private Path folder;

    private ModelStore store() {
        return new ModelStore(
                folder.resolve("models"),
                folder.resolve("hub"),
                CacheFolder.open(folder.resolve("cache/embedding")));
    }

    private void give(String name, String content) throws IOException {
        Path file = folder.resolve("models/tiny").resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
    }

    @Test
    void aMissingModelIsToldWithWhatGoesWhere() {
        assertThatThrownBy(() -> store().tokenizer(SPEC))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_NOT_FOUND))
                .hasMessageContainingAll(
                        "model.onnx",
                        "tokenizer.json",
                        folder.resolve("models/tiny").toString(),
                        "its authors");
    }

    @Test
    void aFileWithAnotherContentIsRefusedAndNothingOfItKept() throws IOException {
        give("tokenizer.json", "abd");
        assertThatThrownBy(() -> store().tokenizer(SPEC))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_NOT_FOUND))
                .hasMessageContaining(ABC);
        assertThat(filesIn(folder.resolve("cache"))).isEmpty();
    }

    @Test
    void aCheckedFileIsKeptAndADamagedCopyReplaced() throws IOException {
        give("tokenizer.json", "abc");
        Path copy = store().tokenizer(SPEC);
        Files.writeString(copy, "a");
        assertThat(store().tokenizer(SPEC)).isEqualTo(copy).hasContent("abc");
        Files.delete(folder.resolve("models/tiny/tokenizer.json"));
        assertThat(store().tokenizer(SPEC)).hasContent("abc");
    }

    @Test
    void aGraphIsOptimizedOnceAForm() throws IOException {
        give("model.onnx", "abc");
        AtomicInteger calls = new AtomicInteger();
        ModelStore.Optimizer optimizer =
                (onnx, target) -> {
                    calls.incrementAndGet();
                    try {
                        Files.writeString(target, Files.readString(onnx) + " optimized");
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                };
        Path graph = store().graph(SPEC, "v1", optimizer);
        assertThat(store().graph(SPEC, "v1", optimizer)).isEqualTo(graph);
        assertThat(graph).hasContent("abc optimized");
        assertThat(calls).hasValue(1);
        store().graph(SPEC, "v2", optimizer);
        assertThat(calls).hasValue(2);
        assertThat(filesIn(folder.resolve("cache"))).hasSize(2);
    }

    @Test
    void onlyItsOwnerEntersTheCache() throws IOException {
        give("tokenizer.json", "abc");
        Files.createDirectories(folder.resolve("cache/embedding"));
        store().tokenizer(SPEC);
        for (String made : List.of("", "models", "models/tiny")) {
            Path path = folder.resolve("cache/embedding").resolve(made);
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                    .as(path.toString())
                    .isEqualTo("rwx------");
        }
    }

    @Test
    void whatACrashLeftIsRemovedOnceItIsOld() throws IOException {
        give("tokenizer.json", "abc");
        Path made = folder.resolve("cache/embedding/models/tiny");
        Files.createDirectories(made);
        Path old = Files.writeString(made.resolve("old.1.part"), "half");
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofHours(2))));
        Path young = Files.writeString(made.resolve("young.1.part.onnx"), "half");
        store().tokenizer(SPEC);
        assertThat(old).doesNotExist();
        assertThat(young).exists();
    }

    @Test
    void manyMayFillTheCacheAtOnce() throws Exception {
        give("tokenizer.json", "abc");
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            threads.add(
                    Thread.ofPlatform()
                            .start(
                                    () -> {
                                        try {
                                            assertThat(store().tokenizer(SPEC)).hasContent("abc");
                                        } catch (Throwable e) {
                                            failures.add(e);
                                        }
                                    }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        assertThat(filesIn(folder.resolve("cache"))).hasSize(1);
    }

    @Test
    void modelsAreFoundByNameAndAliasOnly() {
        Models models = new Models(List.of(Models.ALL_MINILM_L6_V2, SPEC), Map.of());
        assertThat(models.get("all-minilm-l6-V2")).isSameAs(Models.ALL_MINILM_L6_V2);
        assertThat(models.get("sentence-transformers/all-MiniLM-L6-v2"))
                .isSameAs(Models.ALL_MINILM_L6_V2);
        assertThat(models.get("Small")).isSameAs(SPEC);
        assertThatThrownBy(() -> models.get("gpt-9"))
                .hasMessageContainingAll("gpt-9", "all-MiniLM-L6-v2");

        assertThat(SPEC.prefix(TextKind.QUERY)).isEqualTo("query: ");
        assertThat(SPEC.prefix(TextKind.DOCUMENT)).isEmpty();
    }

    private static List<Path> filesIn(Path root) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }
}
