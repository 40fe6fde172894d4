package verticles;

import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Deployable;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import neuralcore.bridge.Greeting;
import neuralcore.bridge.Token;
import neuralcore.config.RuntimeConfig;
import neuralcore.config.RuntimeConfig.Role;
import neuralcore.ops.Readiness;
import neuralcore.ops.Version;
import org.jspecify.annotations.Nullable;

/**
 * Deploys the verticles of this node's roles: first what does the work, then the doors, so that
 * whoever gets in finds somebody there. One that fails to start fails the whole.
 */
public final class RuntimeVerticle extends VerticleBase {
    private final RuntimeConfig config;
    private final Token token;
    private final PrometheusMeterRegistry meters;
    private @Nullable BridgeVerticle bridge;
    private @Nullable WebVerticle web;
    private @Nullable RelayVerticle relay;

    public RuntimeVerticle(RuntimeConfig config, String token, PrometheusMeterRegistry meters) {
        this.config = config;
        this.token = new Token(token);
        this.meters = meters;
    }

    @Override
    public Future<?> start() {
        return deployAll(engines())
                .compose(engines -> relays())
                .compose(
                        relays ->
                                vertx.isClustered() && hasDoor()
                                        ? RemoteDeliveries.receive(vertx)
                                        : Future.succeededFuture())
                .compose(relays -> deployAll(doors()));
    }

    /** Where the node can be reached, once started. */
    public Listening listening() {
        return new Listening(
                config.bridge().host(),
                bridge == null ? 0 : bridge.port(),
                config.web().host(),
                web == null ? 0 : web.port());
    }

    private List<Deployable> engines() {
        List<Deployable> engines = new ArrayList<>();
        if (config.roles().contains(Role.BUS)) {
            engines.add(
                    new BusVerticle(
                            config.bus(),
                            BusVerticle.journals(config),
                            meters,
                            RuntimeVerticle::nowMillis));
        }
        if (config.roles().contains(Role.VECTORS)) {
            engines.add(
                    new VectorsVerticle(
                            config.vectors(),
                            config.bridge().maxBinaryFrame(),
                            config.data().vectors(),
                            meters));
        }
        if (config.roles().contains(Role.EMBEDDING)) {
            engines.add(new EmbeddingVerticle(config.embedding(), config.data().cache(), meters));
        }
        if (config.roles().contains(Role.RELAY)) {
            relay = new RelayVerticle(config.relays(), config.data().folder(), meters);
            engines.add(relay);
        }
        if (vertx.isClustered() && hasDoor()) {
            engines.add(
                    new EmbeddingRouterVerticle(
                            config.embedding().maxQueuedTexts(),
                            config.roles().contains(Role.EMBEDDING),
                            meters));
        }
        return engines;
    }

    /** Those that are described begin after the bus, whose clients they are. */
    private Future<?> relays() {
        return relay == null ? Future.succeededFuture() : relay.openDescribed();
    }

    private boolean hasDoor() {
        return config.roles().contains(Role.BRIDGE) || config.roles().contains(Role.WEB);
    }

    private List<Deployable> doors() {
        List<Deployable> doors = new ArrayList<>();
        if (config.roles().contains(Role.BRIDGE)) {
            bridge = new BridgeVerticle(config.bridge(), token, greeting(), meters);
            doors.add(bridge);
        }
        if (config.roles().contains(Role.WEB)) {
            web =
                    new WebVerticle(
                            config.web(),
                            config.bridge(),
                            token,
                            greeting(),
                            Readiness.of(vertx),
                            meters);
            doors.add(web);
        }
        return doors;
    }

    private Greeting greeting() {
        return new Greeting(
                Version.NUMBER,
                config.roles().stream()
                        .map(role -> role.name().toLowerCase(Locale.ROOT))
                        .sorted()
                        .toList());
    }

    private static long nowMillis() {
        return System.nanoTime() / 1_000_000;
    }

    private Future<?> deployAll(List<Deployable> verticles) {
        return Future.all(verticles.stream().map(vertx::deployVerticle).toList());
    }
}
