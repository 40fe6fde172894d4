package verticles;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import neuralcore.embedding.EmbedCall;
import neuralcore.embedding.EmbeddingModel;
import neuralcore.embedding.GivenModel;
import neuralcore.embedding.ModelSpec;
import neuralcore.embedding.Models;
import neuralcore.embedding.Pairs;
import neuralcore.embedding.Precision;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;

/**
 * What clients may ask of the embedding part, by address. Used by {@link EmbeddingVerticle}'s event
 * loop alone; what takes long is done off it.
 */
final class EmbeddingServices {
    private final Vertx vertx;
    private final ServedModels models;
    private final Path folder;

    /**
     * @param folder where further models go, for those who ask
     */
    EmbeddingServices(Vertx vertx, ServedModels models, Path folder) {
        this.vertx = vertx;
        this.models = models;
        this.folder = folder;
    }

    /**
     * @param embed the address at which texts are embedded; in a cluster it is the node's own
     */
    Future<?> offer(String embed) {
        return Future.join(
                List.of(
                        Services.offer(vertx, embed, this::embed),
                        Services.offer(vertx, Addresses.EMBEDDING_MODELS, this::describe),
                        Services.offer(vertx, Addresses.EMBEDDING_TOKENS, this::tokens),
                        Services.offer(vertx, Addresses.EMBEDDING_RERANK, this::rerank),
                        Services.offer(vertx, Addresses.EMBEDDING_LOAD, this::load)));
    }

    private Future<Reply> embed(Request request) {
        EmbedCall call = EmbedCall.of(request);
        return models.find(call.model(), call.precision()).compose(model -> model.embed(call));
    }

    private Future<Reply> describe(Request request) {
        Params params = request.params();
        boolean all = params.bool("all", false);
        String name = params.optionalString("name");
        return models.catalog()
                .map(
                        known ->
                                Reply.of(
                                        Map.of(
                                                "models", models.described(known, all, name),
                                                "faults", known.faults(),
                                                "folder", folder.toString())));
    }

    /** How many tokens the model sees of each text. */
    private Future<Reply> tokens(Request request) {
        EmbedCall call = EmbedCall.of(request);
        return models.find(call.model(), call.precision())
                .compose(ServedModel::model)
                .compose(model -> vertx.executeBlocking(() -> call.count(model), false))
                .map(counts -> Reply.of(Map.of(), Tensor.ofInts(counts)));
    }

    /** How well each text fits a query, by a cross-encoder. */
    private Future<Reply> rerank(Request request) {
        EmbedCall call = EmbedCall.of(request);
        String query = request.params().string("query");
        return models.find(call.model(), call.precision())
                .compose(
                        served ->
                                served.model()
                                        .compose(model -> pairs(request, query, call, model))
                                        .compose(served::embed));
    }

    private Future<EmbedCall> pairs(
            Request request, String query, EmbedCall call, EmbeddingModel model) {
        return vertx.executeBlocking(() -> Pairs.of(request, query, call.texts(), model), false)
                .map(Objects::requireNonNull);
    }

    /** Loads a model: one of a name, or one that the request describes. */
    private Future<Reply> load(Request request) {
        Params params = request.params();
        Precision.Choice precision = Precision.Choice.of(params);
        Future<ServedModel> wanted =
                params.has("path")
                        ? models.catalog()
                                .compose(known -> given(params, known))
                                .map(spec -> models.add(spec, precision))
                        : models.find(params.string("model"), precision);
        return wanted.compose(
                model -> model.model().map(loaded -> Reply.of(Map.of("model", model.described()))));
    }

    private Future<ModelSpec> given(Params params, Models known) {
        return vertx.executeBlocking(() -> GivenModel.of(params, known), false)
                .map(Objects::requireNonNull);
    }
}
