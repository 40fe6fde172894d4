package neuralcore.embedding;

import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.CompletionException;

/**
 * Tries a model out in a process that is thrown away, before it may run in this one: a tokenizer or
 * a network can end the process it is in. What has passed is remembered by its files' digests.
 */
final class ModelCheck {
    private static final List<String> TEXTS =
            List.of("", "a text", "?", "Zwei Sätze, 数字 42.\u0000\uFFFD", "word ".repeat(700));

    private ModelCheck() {}

    /** Whether a model needs to be checked: those that the program describes by digest do not. */
    static boolean isKnown(ModelSpec spec) {
        return spec.graph().equals(Models.ALL_MINILM_L6_V2.graph())
                && spec.tokenizer().equals(Models.ALL_MINILM_L6_V2.tokenizer());
    }

    /** Fails with the reason if the model does not pass; costs a second, once a version. */
    static void pass(EmbeddingModel.Source source) {
        CacheFolder cache = CacheFolder.open(source.cache());
        ModelStore store = new ModelStore(source.models(), source.hub(), cache);
        ModelSpec spec = store.pin(source.spec());
        String name =
                "checked/%s-%s-%d-%d-%s-%s"
                        .formatted(
                                spec.graph().sha256().substring(0, 24),
                                spec.tokenizer().sha256().substring(0, 24),
                                spec.dimension(),
                                spec.maxTokens(),
                                source.precision(),
                                Int8Network.find(spec, source.models())
                                        .map(int8 -> int8.file().sha256().substring(0, 24))
                                        .orElse("none"));
        cache.place(
                name,
                target -> {
                    try (EmbeddingModel model = HostedModel.start(source)) {
                        HostedModel.whole(spec, () -> BatchTry.run(model));
                    } catch (CompletionException e) {
                        throw e.getCause() instanceof RuntimeException cause ? cause : e;
                    }
                    Files.write(target, spec.name().getBytes(StandardCharsets.UTF_8));
                });
    }

    /** The texts one by one and together. */
    private static final class BatchTry {
        static List<int[]> run(EmbeddingModel model) {
            List<int[]> ids = List.of(model.encode(TEXTS));
            int dimension = model.spec().dimension();
            EmbeddingModel.BatchRunner runner = model.newRunner();
            for (int[] text : ids) {
                runner.run(TokenBatch.of(List.of(text)), FloatBuffer.allocate(dimension));
            }
            runner.run(TokenBatch.of(ids), FloatBuffer.allocate(dimension * ids.size()));
            return ids;
        }
    }
}
