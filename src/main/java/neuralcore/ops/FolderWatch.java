package neuralcore.ops;

import io.vertx.core.Vertx;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends a daemon whose data folder was removed or replaced: it would go on acknowledging what it
 * writes into files that nobody can find. It ends at once, for what an orderly end would tidy away
 * may be the next daemon's by now.
 */
final class FolderWatch {
    private static final Logger log = LoggerFactory.getLogger(FolderWatch.class);
    private static final Duration EACH = Duration.ofSeconds(1);

    private FolderWatch() {}

    static void start(Vertx vertx, DataFolderLock lock) {
        vertx.setPeriodic(
                EACH.toMillis(),
                timer -> {
                    if (!lock.isInPlace()) {
                        log.error(
                                "{} was removed or replaced while this daemon used it, which ends"
                                        + " now; what was in the folder is gone.",
                                lock);
                        Runtime.getRuntime().halt(ExitCode.IO_ERROR.number());
                    }
                });
    }
}
