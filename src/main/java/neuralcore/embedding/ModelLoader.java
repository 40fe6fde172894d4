package neuralcore.embedding;

import java.time.Duration;
import java.util.Map;
import java.util.Set;
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

    private static final Executor THREADS = ModelLoader::startThread;
    private static final Set<Thread> RUNNING = ConcurrentHashMap.newKeySet();

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

    /**
     * Waits until nothing is being loaded, so that the end of the process does not destroy what
     * ONNX Runtime is working with.
     */
    public static void awaitQuiet(Duration most) throws InterruptedException {
        long deadline = System.nanoTime() + most.toNanos();
        for (Thread thread : RUNNING) {
            thread.join(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
        }
    }

    private static void startThread(Runnable task) {
        Thread thread =
                Thread.ofPlatform()
                        .daemon()
                        .name("model-loader")
                        .unstarted(
                                () -> {
                                    try {
                                        task.run();
                                    } finally {
                                        RUNNING.remove(Thread.currentThread());
                                    }
                                });
        RUNNING.add(thread);
        thread.start();
    }

    private static EmbeddingModel.Source pinned(EmbeddingModel.Source source) {
        CacheFolder cache = CacheFolder.open(source.cache());
        return source.with(new ModelStore(source.models(), source.hub(), cache).pin(source.spec()));
    }

    private static EmbeddingModel open(EmbeddingModel.Source source) {
        return switch (source.isolation()) {
            case INPROCESS -> LocalModel.load(source, THREADS);
            case PROCESS -> HostedModel.start(pinned(source));
            case AUTO -> {
                if (!ModelCheck.isKnown(source.spec())) {
                    ModelCheck.pass(source);
                }
                yield LocalModel.load(source, THREADS);
            }
        };
    }

    private static CompletableFuture<EmbeddingModel> start(EmbeddingModel.Source source) {
        CompletableFuture<EmbeddingModel> model = new CompletableFuture<>();
        THREADS.execute(
                () -> {
                    try {
                        model.complete(open(source));
                    } catch (Throwable e) {
                        // An UnsatisfiedLinkError too must reach those who wait.
                        model.completeExceptionally(e);
                    }
                });
        return model;
    }
}
