package verticles;

import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import java.util.Map;
import neuralcore.embedding.EmbeddingModel;
import neuralcore.embedding.TokenBatch;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;

/**
 * Runs batches, one at a time, and knows nothing else. For a worker thread: a batch takes
 * milliseconds to a second.
 *
 * <p>Takes the token ids of a batch without padding (int32) and the length of each text (int32);
 * answers texts × dimension (float32).
 */
public final class EmbeddingWorkerVerticle extends VerticleBase {
    private final String name;
    private final EmbeddingModel model;
    private final EmbeddingModel.BatchRunner runner;

    public EmbeddingWorkerVerticle(String name, EmbeddingModel model) {
        this.name = name;
        this.model = model;
        this.runner = model.newRunner();
    }

    @Override
    public Future<?> start() {
        return Services.offer(vertx, Addresses.embeddingWorker(name), this::run);
    }

    private Future<Reply> run(Request request) {
        TokenBatch batch = TokenBatch.of(request);
        Tensor vectors = Tensor.ofFloats(batch.texts(), model.spec().dimension());
        runner.run(batch, vectors.floats());
        return Future.succeededFuture(Reply.of(Map.of(), vectors));
    }
}
