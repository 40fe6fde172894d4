package neuralcore.bridge;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * {@code POST /v1/embeddings}, {@code GET /v1/models} and {@code GET /v1/models/<name>} as OpenAI's
 * clients use them, the daemon's token being their API key; and {@code POST /v1/rerank}, which
 * others have beside them.
 *
 * <p>Every request is a client of its own to the scheduler, so that a large one does not hold up
 * others. Used by one event loop.
 */
public final class OpenAiDoor {
    private static final Duration TIMEOUT = Duration.ofMinutes(2);

    private final Vertx vertx;
    private final int maxBytes;
    private long requests;

    /**
     * @param maxBytes largest body of a request
     */
    public OpenAiDoor(Vertx vertx, int maxBytes) {
        this.vertx = vertx;
        this.maxBytes = maxBytes;
    }

    public void mount(Router router) {
        router.post("/v1/embeddings")
                .handler(BodyHandler.create(false).setBodyLimit(maxBytes))
                .handler(context -> answer(context, embeddings(context)));
        router.post("/v1/rerank")
                .handler(BodyHandler.create(false).setBodyLimit(maxBytes))
                .handler(context -> answer(context, rerank(context)));
        router.get("/v1/models").handler(context -> answer(context, models()));
        // A model's name may hold a slash.
        router.get("/v1/models/*").handler(context -> answer(context, model(context)));
    }

    private Future<byte[]> embeddings(RoutingContext context) {
        OpenAiRequest asked;
        try {
            asked = OpenAiRequest.of(body(context));
        } catch (RuntimeException e) {
            return Future.failedFuture(e);
        }
        Map<String, @Nullable Object> params = new LinkedHashMap<>();
        params.put("kind", "document");
        if (asked.tokens().isEmpty()) {
            params.put("texts", asked.texts());
        } else {
            params.put("token_ids", asked.tokens());
        }
        if (asked.dimensions() > 0) {
            params.put("dimensions", (long) asked.dimensions());
            params.put("normalize", true);
        }
        params.put("model", asked.model());
        Request request =
                new Request(
                        Addresses.EMBEDDING_EMBED,
                        new Params(params),
                        List.of(),
                        "http-" + ++requests);
        return Services.call(vertx, request, TIMEOUT).map(reply -> Json.write(asked.answer(reply)));
    }

    private Future<byte[]> rerank(RoutingContext context) {
        RerankRequest asked;
        try {
            asked = RerankRequest.of(body(context));
        } catch (RuntimeException e) {
            return Future.failedFuture(e);
        }
        Map<String, @Nullable Object> params = new LinkedHashMap<>();
        params.put("query", asked.query());
        params.put("texts", asked.documents());
        params.put("model", asked.model());
        Request request =
                new Request(
                        Addresses.EMBEDDING_RERANK,
                        new Params(params),
                        List.of(),
                        "http-" + ++requests);
        return Services.call(vertx, request, TIMEOUT).map(reply -> Json.write(asked.answer(reply)));
    }

    private static Map<String, @Nullable Object> body(RoutingContext context) {
        Buffer body = context.body().buffer();
        return Json.readObject(ByteBuffer.wrap(body == null ? new byte[0] : body.getBytes()));
    }

    private Future<byte[]> models() {
        return described(Params.EMPTY)
                .map(
                        models ->
                                Json.write(
                                        Map.of(
                                                "object",
                                                "list",
                                                "data",
                                                names(models).map(OpenAiDoor::card).toList())));
    }

    private Future<byte[]> model(RoutingContext context) {
        String path = context.normalizedPath().substring("/v1/models/".length());
        // A plus sign is one in a path; the slash of a name comes as %2F.
        String wanted = URLDecoder.decode(path.replace("+", "%2B"), StandardCharsets.UTF_8);
        return described(new Params(Map.of("name", wanted)))
                .map(
                        models -> {
                            if (models.isEmpty()) {
                                throw new NeuralCoreException(
                                        ErrorCode.MODEL_NOT_FOUND,
                                        "There is no model '%s' here; GET /v1/models lists those there are."
                                                .formatted(wanted));
                            }
                            return Json.write(card(wanted));
                        });
    }

    /** What the service tells of each model. */
    private Future<List<Map<?, ?>>> described(Params params) {
        Request request = new Request(Addresses.EMBEDDING_MODELS, params, List.of());
        return Services.call(vertx, request, TIMEOUT).map(OpenAiDoor::described);
    }

    private static List<Map<?, ?>> described(Reply reply) {
        List<Map<?, ?>> described = new ArrayList<>();
        if (reply.result().get("models") instanceof List<?> models) {
            models.forEach(model -> described.add((Map<?, ?>) Objects.requireNonNull(model)));
        }
        return described;
    }

    private static Stream<String> names(List<Map<?, ?>> models) {
        return models.stream().map(model -> String.valueOf(model.get("name")));
    }

    private static Map<String, @Nullable Object> card(String name) {
        return Map.of("id", name, "object", "model", "created", 0, "owned_by", "neuralcore");
    }

    private static void answer(RoutingContext context, Future<byte[]> answer) {
        answer.onSuccess(body -> send(context, 200, body))
                .onFailure(failure -> refuse(context, failure));
    }

    private static void refuse(RoutingContext context, Throwable failure) {
        NeuralCoreException reason =
                failure instanceof NeuralCoreException known
                        ? known
                        : new NeuralCoreException(
                                ErrorCode.INTERNAL, "The daemon's log has the details.", failure);
        int status =
                switch (reason.code()) {
                    case INVALID_REQUEST, MALFORMED_FRAME, NOT_SUPPORTED -> 400;
                    case MODEL_NOT_FOUND -> 404;
                    case UNAVAILABLE -> 429;
                    case MODEL_NOT_READY, SHUTTING_DOWN, UNKNOWN_ADDRESS -> 503;
                    case TIMEOUT -> 504;
                    default -> 500;
                };
        if (status == 429) {
            context.response().putHeader("retry-after", "1");
        }
        Map<String, @Nullable Object> error = new LinkedHashMap<>();
        error.put("message", String.valueOf(reason.getMessage()));
        error.put("type", status < 500 ? "invalid_request_error" : "server_error");
        error.put("code", reason.code().name());
        send(context, status, Json.write(Map.of("error", error)));
    }

    private static void send(RoutingContext context, int status, byte[] body) {
        context.response()
                .setStatusCode(status)
                .putHeader("content-type", "application/json")
                .end(Buffer.buffer(body));
    }
}
