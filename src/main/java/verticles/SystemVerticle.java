package verticles;

import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.ops.ProcessMemory;
import neuralcore.ops.Readiness;
import neuralcore.ops.Version;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/** Answers for the daemon itself: what it is, whether it is there, and that it should end. */
public final class SystemVerticle extends VerticleBase {
    /** Lets the reply leave before the door closes. */
    private static final long STOP_DELAY_MILLIS = 20;

    private final RuntimeConfig config;
    private final Instant started;
    private int connections;

    public SystemVerticle(RuntimeConfig config, Instant started) {
        this.config = config;
        this.started = started;
    }

    @Override
    public Future<?> start() {
        vertx.eventBus()
                .<Integer>localConsumer(
                        Addresses.CONNECTIONS, message -> connections += message.body());
        Services.offerLocally(vertx, Addresses.SYSTEM_INFO, request -> info());
        Services.offerLocally(vertx, Addresses.SYSTEM_ECHO, SystemVerticle::echo);
        Services.offerLocally(vertx, Addresses.SYSTEM_STOP, request -> stopDaemon());
        return Future.succeededFuture();
    }

    private Future<Reply> info() {
        Readiness readiness = Readiness.of(vertx);
        boolean embeds = config.roles().contains(RuntimeConfig.Role.EMBEDDING);
        Map<String, @Nullable Object> info = new LinkedHashMap<>();
        info.put("version", Version.NUMBER);
        info.put("protocol", Version.PROTOCOL);
        info.put("pid", ProcessHandle.current().pid());
        info.put("uptime_seconds", Duration.between(started, Instant.now()).toMillis() / 1_000.0);
        info.put("roles", config.roles().stream().sorted().map(RuntimeConfig.Role::key).toList());
        info.put("kernels", readiness.detail("vectors"));
        info.put("model", embeds ? config.embedding().model() : null);
        info.put("model_ready", readiness.isReady(Readiness.MODEL));
        info.put("jvm", System.getProperty("java.vm.name") + " " + Runtime.version());
        info.put("memory_bytes", ProcessMemory.residentBytes());
        info.put("connections", connections);
        return Future.succeededFuture(Reply.of(info));
    }

    private static Future<Reply> echo(Request request) {
        return Future.succeededFuture(new Reply(request.params().values(), request.tensors()));
    }

    private Future<Reply> stopDaemon() {
        vertx.setTimer(
                STOP_DELAY_MILLIS,
                fired -> vertx.eventBus().publish(Addresses.STOP, "a client asked for it"));
        return Future.succeededFuture(Reply.of(Map.of()));
    }
}
