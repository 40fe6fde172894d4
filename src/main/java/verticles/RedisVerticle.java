package verticles;

import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.RouteParams;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import verticles.relay.RedisRelay;

/** One relay to Redis; {@link RelayVerticle} deploys it and speaks for it to clients. */
public final class RedisVerticle extends VerticleBase {
    private final RelayConfig config;
    private final RelayNode node;
    private final String client;
    private RedisRelay relay;

    /**
     * @param client on whose behalf; empty for the daemon itself
     */
    @SuppressWarnings("NullAway.Init") // Vert.x calls start before anything else.
    RedisVerticle(RelayConfig config, RelayNode node, String client) {
        this.config = config;
        this.node = node;
        this.client = client;
    }

    @Override
    public Future<?> start() {
        relay = new RedisRelay(vertx, config, node.name(), client, node.maxUnpacked());
        Services.offerLocally(vertx, Addresses.relay(config.name()), this::answer);
        return relay.start();
    }

    @Override
    public Future<?> stop() {
        return relay.stop();
    }

    private Future<Reply> answer(Request request) {
        Params params = request.params();
        return switch (params.string("do")) {
            case "describe" -> Future.succeededFuture(Reply.of(relay.describe()));
            case "health" -> relay.health().map(Reply::of);
            case "on" -> relay.on().map(done -> described());
            case "off" -> relay.off().map(done -> described());
            case "drain" -> {
                relay.drain();
                yield Future.succeededFuture(described());
            }
            case "forget" -> relay.forget().map(done -> described());
            case "publish" -> relay.publish(params).map(Reply::of);
            case "route" -> {
                var route = params.optionalObject("route");
                if (route == null) {
                    throw NeuralCoreException.invalid("'route' is missing.");
                }
                yield relay.add(RouteParams.of(route, config.namespace(), config.prefix()))
                        .map(done -> described());
            }
            default ->
                    throw NeuralCoreException.invalid(
                            "A relay cannot '%s'.".formatted(params.string("do")));
        };
    }

    private Reply described() {
        return Reply.of(relay.describe());
    }
}
