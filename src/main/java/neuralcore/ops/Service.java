package neuralcore.ops;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import neuralcore.config.LoadedConfig;
import neuralcore.config.RuntimeConfig;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/** The daemon as this process's whole work: with signals, its owner, and an exit code. */
public final class Service {
    /** After the drain, for giving back the rest. */
    private static final Duration LAST_WORK = Duration.ofSeconds(3);

    private final HeadStart headStart;

    private Service(HeadStart headStart) {
        this.headStart = headStart;
    }

    /** Begins what does not depend on the configuration. */
    public static Service prepare() {
        return new Service(HeadStart.begin());
    }

    /**
     * Runs a daemon until something asks it to end.
     *
     * @param readyFile another place for the ready file, besides the data folder
     * @param training whether to end after one walk through its services
     */
    public ExitCode run(LoadedConfig loaded, @Nullable Path readyFile, boolean training) {
        RuntimeConfig config = loaded.config();
        CompletableFuture<String> stop = new CompletableFuture<>();
        Signals.handle(stop::complete);
        if (config.lifecycle().owned()) {
            OwnerWatch.start(System.in, stop::complete);
        }
        Logger log = headStart.log();
        Logging.setLevel(config.log().level());
        loaded.notes().forEach(log::warn);
        String risk = MemoryCheck.require(loaded);
        if (!risk.isEmpty()) {
            log.warn(risk);
        }
        ExitCode exitCode;
        try (Daemon daemon = Daemon.start(config, readyFile, commandLine(), headStart)) {
            stop.thenAccept(daemon::requestStop);
            endWithJvm(daemon, config.lifecycle().drain().plus(LAST_WORK));
            if (training) {
                Training.run(daemon, config);
                daemon.requestStop("trained");
            }
            log.info("Stopping: {}", daemon.awaitStop());
            exitCode = daemon.exitCode();
        }
        log.info("Stopped");
        Logging.stop();
        return exitCode;
    }

    /** A lost terminal (SIGHUP) ends the JVM its own way; it waits for what we do here. */
    private static void endWithJvm(Daemon daemon, Duration patience) {
        Runnable wait =
                () -> {
                    daemon.requestStop("the JVM is ending");
                    try {
                        daemon.awaitClosed(patience);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                };
        Runtime.getRuntime().addShutdownHook(new Thread(wait, "neuralcore-stop"));
    }

    private static String commandLine() {
        return ProcessHandle.current().info().commandLine().orElse("java");
    }
}
