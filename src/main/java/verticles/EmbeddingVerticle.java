package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.VerticleBase;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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

    private final RuntimeConfig.Embedding config;
    private final Path cacheFolder;
    private final MeterRegistry meters;
    private @Nullable EmbeddingRequests requests;
    private @Nullable CompletableFuture<EmbeddingModel> loading;
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
        int threads =
                config.threads() == 0 ? Math.max(1, cores / config.workers()) : config.threads();
        return new EmbeddingModel.Source(config.model(), config.models(), cacheFolder, threads);
    }

    @Override
    public Future<?> start() {
        ModelSpec spec = Models.get(config.model());
        CompletableFuture<EmbeddingModel> loads = ModelLoader.load(source(config, cacheFolder));
        loading = loads;
        Future<EmbeddingModel> model = Future.fromCompletionStage(loads, context);
        EmbeddingRequests open =
                new EmbeddingRequests(
                        vertx,
                        spec,
                        model,
                        new EmbeddingScheduler(
                                spec.dimension(),
                                new BatchPlanner(config.batchTokens()),
                                config.maxQueuedTexts()),
                        new EmbeddingMeters(meters, spec.name()));
        requests = open;
        model.compose(loaded -> deployWorkers(loaded, open))
                .onSuccess(workers -> tell(true, spec.name()))
                .onFailure(failure -> unusable(spec, failure));
        vertx.eventBus()
                .<String>consumer(
                        Addresses.CONNECTION_CLOSED, closed -> open.clientGone(closed.body()));
        return Future.join(
                Services.offer(vertx, Addresses.EMBEDDING_EMBED, open::embed),
                Services.offer(
                        vertx,
                        Addresses.EMBEDDING_MODELS,
                        request -> Future.succeededFuture(models(spec, model.succeeded()))));
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
                        .setWorkerPoolSize(config.workers());
        return Future.all(
                IntStream.range(0, config.workers())
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

    private static Reply models(ModelSpec spec, boolean ready) {
        return Reply.of(
                Map.of(
                        "models",
                        List.of(
                                Map.of(
                                        "name", spec.name(),
                                        "dimension", spec.dimension(),
                                        "max_tokens", spec.maxTokens(),
                                        "ready", ready,
                                        "precision",
                                                spec.precision()
                                                        .name()
                                                        .toLowerCase(Locale.ROOT)))));
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
