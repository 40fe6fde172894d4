package verticles;

import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.ops.Readiness;
import neuralcore.ops.Version;

/** Deploys the verticles of the node's roles. */
public final class RuntimeVerticle extends VerticleBase {
    private final RuntimeConfig config;
    private final Token token;
    private final PrometheusMeterRegistry meters;
    private volatile Listening listening = new Listening("", 0, 0);

    public RuntimeVerticle(RuntimeConfig config, String token, PrometheusMeterRegistry meters) {
        this.config = config;
        this.token = new Token(token);
        this.meters = meters;
    }

    public Listening listening() {
        return listening;
    }

    @Override
    public Future<?> start() {
        BridgeVerticle bridge = new BridgeVerticle(config.bridge(), token, Version.NUMBER, meters);
        WebVerticle web =
                new WebVerticle(
                        config.web(),
                        config.bridge(),
                        token,
                        Version.NUMBER,
                        Readiness.of(vertx),
                        meters);
        return Future.all(vertx.deployVerticle(bridge), vertx.deployVerticle(web))
                .onSuccess(
                        both ->
                                listening =
                                        new Listening(
                                                config.bridge().host(), bridge.port(), web.port()));
    }
}
