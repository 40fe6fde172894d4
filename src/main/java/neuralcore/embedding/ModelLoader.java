package neuralcore.embedding;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;

/**
 * Loads models in the background, on threads that end with the loading.
 *
 * <p>A model can be asked for before the part that will use it exists: a start that first calls
 * {@link #preload} and then builds everything else overlaps the two. Thread-safe.
 */
public final class ModelLoader {
    private static final Map<EmbeddingModel.Source, CompletableFuture<EmbeddingModel>> PRELOADED =
            new ConcurrentHashMap<>();

    private static final Executor THREADS =
            task -> Thread.ofPlatform().daemon().name("model-loader").start(task);

    private ModelLoader() {}

    /** Begins to load a model for whoever calls {@link #load} with the same source first. */
    public static void preload(EmbeddingModel.Source source) {
        PRELOADED.computeIfAbsent(source, ModelLoader::start);
    }

    /** A model, preloaded or loaded now. It belongs to the caller, who closes it. */
    public static CompletableFuture<EmbeddingModel> load(EmbeddingModel.Source source) {
        CompletableFuture<EmbeddingModel> preloaded = PRELOADED.remove(source);
        return preloaded == null ? start(source) : preloaded;
    }

    private static CompletableFuture<EmbeddingModel> start(EmbeddingModel.Source source) {
        CompletableFuture<EmbeddingModel> model = new CompletableFuture<>();
        THREADS.execute(
                () -> {
                    try {
                        model.complete(EmbeddingModel.load(source, THREADS));
                    } catch (Throwable e) {
                        // An UnsatisfiedLinkError too must reach those who wait.
                        model.completeExceptionally(e);
                    }
                });
        return model;
    }
}
