package verticles;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import neuralcore.embedding.Batch;
import neuralcore.embedding.EmbedCall;
import neuralcore.embedding.EmbeddingModel;
import neuralcore.embedding.EmbeddingScheduler;
import neuralcore.embedding.EmbeddingScheduler.Effect;
import neuralcore.embedding.ModelSpec;
import neuralcore.embedding.PreparedTexts;
import neuralcore.embedding.VectorCache;
import neuralcore.embedding.VectorForm;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;

/**
 * The requests that {@link EmbeddingVerticle} has not answered: takes them to the scheduler and
 * does what the scheduler says. Used by the verticle's event loop alone; texts are tokenized off
 * it.
 */
final class EmbeddingRequests {
    private static final Duration BATCH_TIMEOUT = Duration.ofMinutes(1);

    private record Waiting(Promise<Reply> answer, int texts, long since) {}

    private final Vertx vertx;
    private final ModelSpec spec;
    private final Supplier<Future<EmbeddingModel>> model;
    private final EmbeddingScheduler scheduler;
    private final EmbeddingMeters meters;
    private final VectorCache cache;
    private final Map<Long, Waiting> requests = new HashMap<>();

    /**
     * @param model what {@code spec} describes, once it is loaded; asked for each request
     */
    EmbeddingRequests(
            Vertx vertx,
            ModelSpec spec,
            Supplier<Future<EmbeddingModel>> model,
            EmbeddingScheduler scheduler,
            EmbeddingMeters meters,
            VectorCache cache) {
        this.vertx = vertx;
        this.spec = spec;
        this.model = model;
        this.scheduler = scheduler;
        this.meters = meters;
        this.cache = cache;
    }

    /** Whether nothing waits for an answer. */
    boolean isIdle() {
        return requests.isEmpty();
    }

    /** Texts that no worker has yet. */
    int waitingTexts() {
        return scheduler.waitingTexts();
    }

    Future<Reply> embed(EmbedCall call) {
        VectorForm form = call.form(spec);
        if (call.count() == 0) {
            form.requireFrom(spec.dimension());
            return Future.succeededFuture(reply(Tensor.ofFloats(0, form.dimensions()), 0));
        }
        long id =
                scheduler.admit(
                        call.request().connection(), call.kind(), call.count(), call.alone(), form);
        Promise<Reply> answer = Promise.promise();
        requests.put(id, new Waiting(answer, call.count(), System.nanoTime()));
        meters.waiting(scheduler.waitingTexts());
        model.get()
                .compose(
                        loaded ->
                                vertx.executeBlocking(
                                        () -> PreparedTexts.of(call, loaded, cache), false))
                .onSuccess(texts -> apply(scheduler.tokenized(id, texts)))
                .onFailure(failure -> apply(scheduler.abandon(id, reason(failure))));
        return answer.future();
    }

    void workerJoined(String worker, int capacity) {
        apply(scheduler.workerJoined(worker, capacity));
    }

    void workerLeft(String worker) {
        apply(scheduler.workerLeft(worker));
    }

    void clientGone(String connection) {
        apply(scheduler.clientGone(connection));
    }

    void shutDown() {
        apply(
                scheduler.shutDown(
                        new NeuralCoreException(
                                ErrorCode.SHUTTING_DOWN, "The daemon is stopping.")));
    }

    private void apply(List<Effect> effects) {
        for (Effect effect : effects) {
            switch (effect) {
                case Effect.Run run -> run(run.batch());
                case Effect.Completed done -> {
                    Waiting waiting = requests.remove(done.request());
                    if (waiting != null) {
                        meters.answered(waiting.texts(), done.tokens(), since(waiting.since()));
                        waiting.answer().complete(reply(done.vectors(), done.tokens()));
                    }
                }
                case Effect.Failed failed -> {
                    Waiting waiting = requests.remove(failed.request());
                    if (waiting != null) {
                        meters.failed();
                        waiting.answer().fail(failed.reason());
                    }
                }
            }
        }
        meters.waiting(scheduler.waitingTexts());
    }

    private void run(Batch batch) {
        long start = System.nanoTime();
        Request request =
                new Request(
                        Addresses.embeddingWorker(batch.worker()),
                        Params.EMPTY,
                        batch.tokens().toTensors());
        Services.call(vertx, request, BATCH_TIMEOUT)
                .onSuccess(
                        reply -> {
                            Duration took = since(start);
                            meters.ran(batch, took);
                            apply(scheduler.finished(batch.id(), reply.tensors().getFirst(), took));
                        })
                .onFailure(failure -> apply(scheduler.failed(batch.id(), reason(failure))));
    }

    private Reply reply(Tensor vectors, long tokens) {
        return Reply.of(
                Map.of("model", spec.name(), "dimension", vectors.columns(), "tokens", tokens),
                vectors);
    }

    private static Duration since(long start) {
        return Duration.ofNanos(System.nanoTime() - start);
    }

    /** What the caller is told. */
    static NeuralCoreException reason(Throwable failure) {
        return failure instanceof NeuralCoreException exception
                ? exception
                : new NeuralCoreException(
                        ErrorCode.INTERNAL,
                        "Embedding failed: %s. The daemon's log has the details."
                                .formatted(failure),
                        failure);
    }
}
