package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.EmbedCall;
import neuralcore.embedding.GivenModel;
import neuralcore.embedding.ModelLoader;
import neuralcore.embedding.Pairs;
import neuralcore.embedding.Precision;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Answers {@code neuralcore.embedding.*} with the help of {@link EmbeddingWorkerVerticle}s, which
 * its models deploy.
 *
 * <p>It is up before its default model: requests wait for it, or fail with the reason that it
 * cannot be loaded. {@link Addresses#READINESS} tells either. Other models are loaded when they are
 * first asked for.
 */
public final class EmbeddingVerticle extends VerticleBase implements ServedModel.Listener {
    private final RuntimeConfig.Embedding config;
    private final Path cacheFolder;
    private final MeterRegistry meters;
    private @Nullable ServedModels models;
    private @Nullable ServedModel standard;

    public EmbeddingVerticle(
            RuntimeConfig.Embedding config, Path cacheFolder, MeterRegistry meters) {
        this.config = config;
        this.cacheFolder = cacheFolder;
        this.meters = meters;
    }

    /** Begins to load the model before there is a Vert.x, so that the two start side by side. */
    public static void preload(RuntimeConfig.Embedding config, Path cacheFolder) {
        ModelLoader.preload(
                ServedModels.source(ServedModels.standard(config), config, cacheFolder));
    }

    @Override
    public Future<?> start() {
        ServedModels open = new ServedModels(vertx, config, cacheFolder, meters, this);
        ServedModel first = open.serve(ServedModels.standard(config), null);
        models = open;
        standard = first;
        first.model().onFailure(reason -> {}); // told by unusable()
        vertx.eventBus()
                .<String>consumer(
                        Addresses.CONNECTION_CLOSED, closed -> open.clientGone(closed.body()));
        return Future.join(
                Services.offer(vertx, Addresses.EMBEDDING_EMBED, request -> embed(open, request)),
                Services.offer(
                        vertx,
                        Addresses.EMBEDDING_MODELS,
                        request ->
                                open.described(request.params().bool("all", false))
                                        .map(
                                                all ->
                                                        Reply.of(
                                                                Map.of(
                                                                        "models",
                                                                        all,
                                                                        "folder",
                                                                        config.models()
                                                                                .toString())))),
                Services.offer(vertx, Addresses.EMBEDDING_TOKENS, request -> tokens(open, request)),
                Services.offer(vertx, Addresses.EMBEDDING_RERANK, request -> rerank(open, request)),
                Services.offer(vertx, Addresses.EMBEDDING_LOAD, request -> load(open, request)));
    }

    private static Future<Reply> embed(ServedModels open, Request request) {
        EmbedCall call = EmbedCall.of(request);
        return open.find(call.model(), call.precision()).compose(model -> model.embed(call));
    }

    /** How many tokens the model sees of each text. */
    private Future<Reply> tokens(ServedModels open, Request request) {
        EmbedCall call = EmbedCall.of(request);
        return open.find(call.model(), call.precision())
                .compose(ServedModel::model)
                .compose(model -> vertx.executeBlocking(() -> call.count(model), false))
                .map(counts -> Reply.of(Map.of(), Tensor.ofInts(counts)));
    }

    /** How well each text fits a query, by a cross-encoder. */
    private Future<Reply> rerank(ServedModels open, Request request) {
        EmbedCall call = EmbedCall.of(request);
        String query = request.params().string("query");
        return open.find(call.model(), call.precision())
                .compose(
                        served ->
                                served.model()
                                        .compose(
                                                model ->
                                                        vertx.executeBlocking(
                                                                () ->
                                                                        Pairs.of(
                                                                                request,
                                                                                query,
                                                                                call.texts(),
                                                                                model),
                                                                false))
                                        .compose(
                                                pairs ->
                                                        served.embed(
                                                                Objects.requireNonNull(pairs))));
    }

    /** Loads a model: one of a name, or one that the request describes. */
    private Future<Reply> load(ServedModels open, Request request) {
        Params params = request.params();
        Precision.Choice precision = Precision.Choice.of(params);
        Future<ServedModel> wanted =
                params.has("path")
                        ? open.catalog()
                                .compose(
                                        known ->
                                                vertx.executeBlocking(
                                                        () -> GivenModel.of(params, known), false))
                                .map(spec -> open.add(Objects.requireNonNull(spec), precision))
                        : open.find(params.string("model"), precision);
        return wanted.compose(
                model -> model.model().map(loaded -> Reply.of(Map.of("model", model.described()))));
    }

    @Override
    public void ready(ServedModel model) {
        if (models != null) {
            models.makeRoomBeside(model);
        }
        tell(model, true, model.spec().name());
    }

    @Override
    public void unusable(ServedModel model, Throwable reason) {
        tell(model, false, String.valueOf(reason.getMessage()));
    }

    /** Only the default model's state is the daemon's. */
    private void tell(ServedModel model, boolean ready, String detail) {
        if (model == standard) {
            vertx.eventBus()
                    .publish(
                            Addresses.READINESS,
                            new JsonObject()
                                    .put("part", "model")
                                    .put("ready", ready)
                                    .put("detail", detail));
        }
    }

    @Override
    public Future<?> stop() {
        if (models != null) {
            // After the workers: children are undeployed first.
            models.stop();
        }
        return Future.succeededFuture();
    }
}
