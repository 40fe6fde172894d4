package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.ModelLoader;
import neuralcore.eventbus.Addresses;
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
    private @Nullable NodeAnnouncements announcements;

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
        EmbeddingServices services = new EmbeddingServices(vertx, open, config.models());
        if (!vertx.isClustered()) {
            return services.offer(Addresses.EMBEDDING_EMBED);
        }
        NodeAnnouncements node = new NodeAnnouncements(vertx, ServedModel.capacity(config), open);
        announcements = node;
        return node.start()
                .compose(started -> services.offer(Addresses.embeddingNode(node.node())));
    }

    @Override
    public void ready(ServedModel model) {
        if (models != null) {
            models.makeRoomBeside(model);
        }
        if (announcements != null && model == standard) {
            announcements.ready(model.model().result().spec());
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
