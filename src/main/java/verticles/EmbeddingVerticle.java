package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.VerticleBase;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.BatchPlanner;
import neuralcore.embedding.EmbeddingModel;
import neuralcore.embedding.EmbeddingScheduler;
import neuralcore.embedding.ModelLoader;
import neuralcore.embedding.ModelSpec;
import neuralcore.embedding.Models;
import neuralcore.embedding.Precision;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.Reply;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers {@code neuralcore.embedding.*} with the help of {@link EmbeddingWorkerVerticle}s, which
 * it deploys.
 *
 * <p>It is up before its model: requests wait for the model, or fail with the reason that it cannot
 * be loaded. {@link Addresses#READINESS} tells either.
 */
public final class EmbeddingVerticle extends VerticleBase {
    private static final Logger log = LoggerFactory.getLogger(EmbeddingVerticle.class);

    private static final long RETRY_AFTER_NANOS = 2_000_000_000L;

    private final RuntimeConfig.Embedding config;
    private final Path cacheFolder;
    private final MeterRegistry meters;
    private @Nullable EmbeddingRequests requests;
    private @Nullable CompletableFuture<EmbeddingModel> loading;
    private @Nullable Future<EmbeddingModel> model;
    private long loadedNanos;
    private boolean stopped;

    public EmbeddingVerticle(
            RuntimeConfig.Embedding config, Path cacheFolder, MeterRegistry meters) {
        this.config = config;
        this.cacheFolder = cacheFolder;
        this.meters = meters;
    }

    /** Begins to load the model before there is a Vert.x, so that the two start side by side. */
    public static void preload(RuntimeConfig.Embedding config, Path cacheFolder) {
        ModelLoader.preload(source(config, cacheFolder));
    }

    private static EmbeddingModel.Source source(RuntimeConfig.Embedding config, Path cacheFolder) {
        int cores = Runtime.getRuntime().availableProcessors();
        int threads = config.threads() == 0 ? cores : config.threads();
        return new EmbeddingModel.Source(
                config.model(),
                config.models(),
                cacheFolder,
                threads,
                Precision.Choice.of(config.precision()));
    }

    private int workers() {
        return config.workers() == 0
                ? Runtime.getRuntime().availableProcessors()
                : config.workers();
    }

    @Override
    public Future<?> start() {
        ModelSpec spec = Models.get(config.model());
        EmbeddingRequests open =
                new EmbeddingRequests(
                        vertx,
                        spec,
                        () -> model(spec),
                        new EmbeddingScheduler(
                                spec.dimension(),
                                new BatchPlanner(config.batchTokens()),
                                config.maxQueuedTexts()),
                        new EmbeddingMeters(meters, spec.name()));
        requests = open;
        load(spec, open);
        vertx.eventBus()
                .<String>consumer(
                        Addresses.CONNECTION_CLOSED, closed -> open.clientGone(closed.body()));
        return Future.join(
                Services.offer(vertx, Addresses.EMBEDDING_EMBED, open::embed),
                Services.offer(
                        vertx,
                        Addresses.EMBEDDING_MODELS,
                        request -> Future.succeededFuture(models(spec, model(spec)))));
    }

    /** The model, or the one that is being loaded; one that failed is tried again now and then. */
    private Future<EmbeddingModel> model(ModelSpec spec) {
        EmbeddingRequests open = Objects.requireNonNull(requests);
        Future<EmbeddingModel> last = Objects.requireNonNull(model);
        boolean again =
                last.failed() && !stopped && System.nanoTime() - loadedNanos > RETRY_AFTER_NANOS;
        return again ? load(spec, open) : last;
    }

    private Future<EmbeddingModel> load(ModelSpec spec, EmbeddingRequests open) {
        loadedNanos = System.nanoTime();
        CompletableFuture<EmbeddingModel> loads = ModelLoader.load(source(config, cacheFolder));
        loading = loads;
        Future<EmbeddingModel> loaded = Future.fromCompletionStage(loads, context);
        model = loaded;
        loaded.compose(usable -> deployWorkers(usable, open))
                .onSuccess(
                        workers -> {
                            log.info(
                                    "{} is ready in {}",
                                    spec.name(),
                                    loaded.result().spec().precision().shown());
                            tell(true, spec.name());
                        })
                .onFailure(failure -> unusable(spec, failure));
        return loaded;
    }

    private void unusable(ModelSpec spec, Throwable failure) {
        if (!stopped) {
            log.error("{} cannot be used", spec.name(), failure);
            tell(false, String.valueOf(failure.getMessage()));
        }
    }

    private Future<?> deployWorkers(EmbeddingModel model, EmbeddingRequests open) {
        if (stopped) {
            return Future.failedFuture("stopped while the model was loading");
        }
        DeploymentOptions options =
                new DeploymentOptions()
                        .setThreadingModel(ThreadingModel.WORKER)
                        .setWorkerPoolName("embedding")
                        .setWorkerPoolSize(workers());
        return Future.all(
                IntStream.range(0, workers())
                        .mapToObj(
                                i -> {
                                    String name = UUID.randomUUID().toString();
                                    return vertx.deployVerticle(
                                                    new EmbeddingWorkerVerticle(name, model),
                                                    options)
                                            .onSuccess(
                                                    id ->
                                                            open.workerJoined(
                                                                    name, config.batchTokens()));
                                })
                        .toList());
    }

    private static Reply models(ModelSpec described, Future<EmbeddingModel> model) {
        boolean ready = model.succeeded();
        ModelSpec spec = ready ? model.result().spec() : described;
        return Reply.of(
                Map.of(
                        "models",
                        List.of(
                                Map.of(
                                        "name", spec.name(),
                                        "dimension", spec.dimension(),
                                        "max_tokens", spec.maxTokens(),
                                        "ready", ready,
                                        "precision", spec.precision().shown()))));
    }

    private void tell(boolean ready, String detail) {
        vertx.eventBus()
                .publish(
                        Addresses.READINESS,
                        new JsonObject()
                                .put("part", "model")
                                .put("ready", ready)
                                .put("detail", detail));
    }

    @Override
    public Future<?> stop() {
        stopped = true;
        if (requests != null) {
            requests.shutDown();
        }
        if (loading != null) {
            // After the workers: children are undeployed first.
            loading.thenAccept(EmbeddingModel::close);
        }
        return Future.succeededFuture();
    }
}
