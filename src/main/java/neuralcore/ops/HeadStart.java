package neuralcore.ops;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.slf4j.LoggerFactory;

/**
 * What every start needs, whatever the configuration says, done on a second thread while the first
 * reads the configuration: setting the log up, then loading classes. Measured, it saves a fifth of
 * the time until the door answers.
 */
final class HeadStart {
    private static final List<String> CLASSES =
            List.of(
                    "neuralcore.ops.Metrics",
                    "io.vertx.core.impl.VertxImpl",
                    "io.netty.channel.MultiThreadIoEventLoopGroup",
                    "io.netty.buffer.AdaptiveByteBufAllocator",
                    "io.vertx.ext.web.impl.RouterImpl");

    private final CountDownLatch logIsUp = new CountDownLatch(1);

    private HeadStart() {}

    static HeadStart begin() {
        Logging.captureLibraries();
        HeadStart start = new HeadStart();
        Thread.ofPlatform().name("neuralcore-head-start").daemon().start(start::run);
        return start;
    }

    private void run() {
        try {
            LoggerFactory.getLogger(HeadStart.class);
        } finally {
            logIsUp.countDown();
        }
        for (String name : CLASSES) {
            try {
                Class.forName(name);
            } catch (ClassNotFoundException e) {
                // Another version calls it otherwise; it is loaded when it is needed.
            }
        }
    }

    /** SLF4J's loggers are replaced once it is up: nobody may ask for one before. */
    void awaitLog() {
        try {
            logIsUp.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
