package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Context;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.BatchPlanner;
import neuralcore.embedding.EmbedCall;
import neuralcore.embedding.EmbeddingModel;
import neuralcore.embedding.EmbeddingScheduler;
import neuralcore.embedding.ModelLoader;
import neuralcore.embedding.ModelSpec;
import neuralcore.embedding.Precision;
import neuralcore.embedding.VectorCache;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Reply;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One model: loaded when it is first wanted, with workers of its own that share the pool of
 * threads, and unloaded when told to. Used by {@link EmbeddingVerticle}'s event loop alone.
 */
final class ServedModel {
    private static final Logger log = LoggerFactory.getLogger(ServedModel.class);
    private static final long RETRY_AFTER_NANOS = 2_000_000_000L;

    /** What happens to a model. */
    interface Listener {
        void ready(ServedModel model);

        void unusable(ServedModel model, Throwable reason);
    }

    private record Worker(String name, String deployment) {}

    private final Vertx vertx;
    private final Context context;
    private final EmbeddingModel.Source source;
    private final RuntimeConfig.Embedding config;
    private final Listener listener;
    private final VectorCache cache;
    private final EmbeddingRequests requests;
    private final List<Worker> workers = new ArrayList<>();
    private @Nullable CompletableFuture<EmbeddingModel> loading;
    private @Nullable Future<EmbeddingModel> model;
    private long loadedNanos;
    private long usedNanos;

    /** Its loading and its workers' joining; one of them alone may have done all there was. */
    private Future<?> deployed = Future.succeededFuture();

    private String cachedOf = "";
    private boolean stopped;
    private boolean quarantined;

    ServedModel(
            Vertx vertx,
            EmbeddingModel.Source source,
            RuntimeConfig.Embedding config,
            MeterRegistry meters,
            Listener listener) {
        this.vertx = vertx;
        this.context = vertx.getOrCreateContext();
        this.source = source;
        this.config = config;
        this.listener = listener;
        ModelSpec spec = source.spec();
        this.cache = new VectorCache(config.vectorCacheBytes());
        this.requests =
                new EmbeddingRequests(
                        vertx,
                        spec,
                        this::model,
                        new EmbeddingScheduler(
                                spec.dimension(),
                                new BatchPlanner(config.batchTokens()),
                                config.maxQueuedTexts(),
                                cache),
                        new EmbeddingMeters(meters, meterName(), cache),
                        cache);
    }

    /** A model that is served in two precisions has meters for each. */
    private String meterName() {
        Precision.Choice usual = Precision.Choice.of(config.precision());
        String name = source.spec().name();
        return source.precision() == usual
                ? name
                : name + "/" + source.precision().name().toLowerCase(Locale.ROOT);
    }

    ModelSpec spec() {
        return source.spec();
    }

    boolean isLoaded() {
        return model != null && model.succeeded();
    }

    boolean hasFailed() {
        return model != null && model.failed();
    }

    boolean isIdle() {
        return requests.isIdle() && deployed.isComplete();
    }

    /** When it was last asked for, on {@link System#nanoTime}'s scale. */
    long usedNanos() {
        return usedNanos;
    }

    /** Size of its network while it is loaded. */
    long bytes() {
        return isLoaded() ? model().result().spec().graph().size() : 0;
    }

    Future<Reply> embed(EmbedCall call) {
        usedNanos = System.nanoTime();
        return requests.embed(call);
    }

    void clientGone(String connection) {
        requests.clientGone(connection);
    }

    /** The model, or its loading; one that failed is tried again now and then. */
    Future<EmbeddingModel> model() {
        Future<EmbeddingModel> last = model;
        if (last == null) {
            return load();
        }
        boolean again =
                last.failed()
                        && !stopped
                        && !quarantined
                        && System.nanoTime() - loadedNanos > RETRY_AFTER_NANOS;
        return again ? load() : last;
    }

    private Future<EmbeddingModel> load() {
        loadedNanos = System.nanoTime();
        usedNanos = loadedNanos;
        CompletableFuture<EmbeddingModel> loads = ModelLoader.load(source);
        loading = loads;
        Future<EmbeddingModel> loaded = Future.fromCompletionStage(loads, context);
        model = loaded;
        Future<?> working = loaded.compose(this::deployWorkers);
        deployed = working;
        working.onSuccess(
                        done -> {
                            log.info(
                                    "{} is ready in {}",
                                    spec().name(),
                                    loaded.result().spec().precision().shown());
                            listener.ready(this);
                            Future.fromCompletionStage(loaded.result().unusable(), context)
                                    .onSuccess(this::quarantine);
                        })
                .onFailure(
                        failure -> {
                            if (!stopped) {
                                log.error("{} cannot be used", spec().name(), failure);
                                listener.unusable(this, failure);
                            }
                        });
        return loaded;
    }

    private void quarantine(NeuralCoreException reason) {
        quarantined = true;
        model = Future.failedFuture(reason);
        listener.unusable(this, reason);
    }

    private Future<?> deployWorkers(EmbeddingModel loaded) {
        if (stopped) {
            return Future.failedFuture("stopped while the model was loading");
        }
        String digest = loaded.spec().digest();
        if (!digest.equals(cachedOf)) {
            // Its files are others than when it was loaded before.
            cache.clear();
            cachedOf = digest;
        }
        int count = workers(config);
        DeploymentOptions options =
                new DeploymentOptions()
                        .setThreadingModel(ThreadingModel.WORKER)
                        .setWorkerPoolName("embedding")
                        .setWorkerPoolSize(count);
        List<Future<String>> deployed = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String name = UUID.randomUUID().toString();
            deployed.add(
                    vertx.deployVerticle(new EmbeddingWorkerVerticle(name, loaded), options)
                            .onSuccess(
                                    id -> {
                                        workers.add(new Worker(name, id));
                                        requests.workerJoined(name, config.batchTokens());
                                    }));
        }
        return Future.all(deployed);
    }

    private static int workers(RuntimeConfig.Embedding config) {
        return config.workers() == 0
                ? Runtime.getRuntime().availableProcessors()
                : config.workers();
    }

    /** Tokens that a model computes side by side. */
    static int capacity(RuntimeConfig.Embedding config) {
        return workers(config) * config.batchTokens();
    }

    int waitingTexts() {
        return requests.waitingTexts();
    }

    /** Frees its memory; the next request loads it again. For one that is loaded and idle. */
    void unload() {
        CompletableFuture<EmbeddingModel> loaded = loading;
        loading = null;
        model = null;
        log.info("{} is unloaded", spec().name());
        List<Future<Void>> gone = new ArrayList<>();
        for (Worker worker : workers) {
            requests.workerLeft(worker.name());
            gone.add(vertx.undeploy(worker.deployment()));
        }
        workers.clear();
        Future.join(gone)
                .onComplete(
                        done -> {
                            if (loaded != null) {
                                loaded.thenAccept(EmbeddingModel::close);
                            }
                        });
    }

    /** Fails what waits and closes the model; its workers have been undeployed. */
    void stop() {
        stopped = true;
        requests.shutDown();
        if (loading != null) {
            loading.thenAccept(EmbeddingModel::close);
        }
    }

    /** What clients are told of it. */
    Map<String, Object> described() {
        ModelSpec spec = isLoaded() ? model().result().spec() : spec();
        Map<String, Object> told = new LinkedHashMap<>(ServedModels.described(spec));
        Future<EmbeddingModel> last = model;
        told.put("ready", isLoaded());
        told.put(
                "state",
                last == null
                        ? "unloaded"
                        : last.succeeded() ? "ready" : last.failed() ? "failed" : "loading");
        told.put("precision", spec.precision().shown());
        told.put(
                "provider",
                (isLoaded() ? model().result().provider() : source.provider()).kind().shown());
        told.put(
                "cache",
                Map.of(
                        "texts", cache.size(),
                        "bytes", cache.bytes(),
                        "hits", cache.hits(),
                        "misses", cache.misses()));
        return told;
    }
}
