package verticles;

import io.vertx.core.Future;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.RouteParams;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import verticles.relay.Relay;

/** What a relay's verticle is asked by its address, in the words of a call. */
final class RelayCalls {
    private RelayCalls() {}

    static Future<Reply> answer(
            Relay relay, RelayConfig config, RelaySchemas schemas, Request request) {
        Params params = request.params();
        return switch (params.string("do")) {
            case "describe" -> Future.succeededFuture(Reply.of(relay.describe()));
            case "health" -> relay.health().map(Reply::of);
            case "on" -> relay.on().map(done -> described(relay));
            case "off" -> relay.off().map(done -> described(relay));
            case "drain" -> {
                relay.drain();
                yield Future.succeededFuture(described(relay));
            }
            case "forget" -> relay.forget().map(done -> described(relay));
            case "schema" -> schemas.answer(params);
            case "publish" -> relay.publish(params).map(Reply::of);
            case "route" -> {
                var route = params.optionalObject("route");
                if (route == null) {
                    throw NeuralCoreException.invalid("'route' is missing.");
                }
                yield relay.add(RouteParams.of(route, config.namespace(), config.prefix()))
                        .map(done -> described(relay));
            }
            default ->
                    throw NeuralCoreException.invalid(
                            "A relay cannot '%s'.".formatted(params.string("do")));
        };
    }

    private static Reply described(Relay relay) {
        return Reply.of(relay.describe());
    }
}
