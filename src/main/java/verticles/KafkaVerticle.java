package verticles;

import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.relay.RelayConfig;
import verticles.relay.KafkaRelay;

/** One relay to Kafka; {@link RelayVerticle} deploys it and speaks for it to clients. */
public final class KafkaVerticle extends VerticleBase {
    private final RelayConfig config;
    private final RelayNode node;
    private final String client;
    private KafkaRelay relay;

    /**
     * @param client on whose behalf; empty for the daemon itself
     */
    @SuppressWarnings("NullAway.Init") // Vert.x calls start before anything else.
    KafkaVerticle(RelayConfig config, RelayNode node, String client) {
        this.config = config;
        this.node = node;
        this.client = client;
    }

    @Override
    public Future<?> start() {
        return RelaySchemas.read(vertx, config).compose(this::start);
    }

    private Future<?> start(RelaySchemas schemas) {
        KafkaRelay opened =
                new KafkaRelay(
                        vertx, config, node.name(), client, node.maxUnpacked(), schemas.registry());
        relay = opened;
        Services.offerLocally(
                vertx,
                Addresses.relay(config.name()),
                request -> RelayCalls.answer(opened, config, schemas, request));
        return opened.start();
    }

    @Override
    public Future<?> stop() {
        return relay.stop();
    }
}
