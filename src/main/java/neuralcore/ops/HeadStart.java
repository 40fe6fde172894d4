package neuralcore.ops;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What every start needs, whatever the configuration says, done on a second thread while the first
 * reads the configuration and prepares the data folder: the log, the meters, and loading classes.
 */
final class HeadStart {
    private static final List<String> CLASSES =
            List.of(
                    "io.vertx.core.impl.VertxImpl",
                    "io.netty.channel.MultiThreadIoEventLoopGroup",
                    "io.netty.buffer.AdaptiveByteBufAllocator",
                    "io.vertx.ext.web.impl.RouterImpl");

    private final CompletableFuture<Logger> log = new CompletableFuture<>();
    private final CompletableFuture<Metrics> metrics = new CompletableFuture<>();

    private HeadStart() {}

    static HeadStart begin() {
        Logging.captureLibraries();
        HeadStart start = new HeadStart();
        Thread.ofPlatform().name("neuralcore-head-start").daemon().start(start::run);
        return start;
    }

    private void run() {
        try {
            log.complete(LoggerFactory.getLogger(Service.class));
            metrics.complete(new Metrics());
        } catch (RuntimeException | Error e) {
            log.completeExceptionally(e);
            metrics.completeExceptionally(e);
        }
        for (String name : CLASSES) {
            try {
                Class.forName(name);
            } catch (ClassNotFoundException e) {
                // Another version calls it otherwise; it is loaded when it is needed.
            }
        }
    }

    /** SLF4J hands out makeshift loggers until it is up: nobody may ask it for one before this. */
    Logger log() {
        return log.join();
    }

    Metrics metrics() {
        return metrics.join();
    }
}
