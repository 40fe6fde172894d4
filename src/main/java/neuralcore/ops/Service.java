package neuralcore.ops;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import neuralcore.config.LoadedConfig;
import neuralcore.config.RuntimeConfig;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The daemon as this process's whole work: with signals, its owner, and an exit code. */
public final class Service {
    private static final Logger log = LoggerFactory.getLogger(Service.class);

    /** After the drain, for giving back the rest. */
    private static final Duration LAST_WORK = Duration.ofSeconds(3);

    private Service() {}

    /** Runs a daemon until something asks it to end. */
    public static ExitCode run(LoadedConfig loaded, @Nullable Path readyFile) {
        RuntimeConfig config = loaded.config();
        CompletableFuture<String> early = new CompletableFuture<>();
        Signals.handle(early::complete);
        if (config.lifecycle().owned()) {
            OwnerWatch.start(System.in, early::complete);
        }
        Logging.captureLibraries();
        Logging.setLevel(config.log().level());
        loaded.notes().forEach(log::warn);
        try (Daemon daemon = Daemon.start(config, readyFile, commandLine())) {
            early.thenAccept(daemon::requestStop);
            Thread hook = hangupHook(daemon, config.lifecycle().drain().plus(LAST_WORK));
            Runtime.getRuntime().addShutdownHook(hook);
            log.info("Stopping: {}", daemon.awaitStop());
        }
        log.info("Stopped");
        Logging.stop();
        return ExitCode.OK;
    }

    /** Runs a daemon for as long as the walk through its services takes. */
    public static ExitCode train(LoadedConfig loaded) {
        Logging.captureLibraries();
        Logging.setLevel("warn");
        try (Daemon daemon = Daemon.start(loaded.config(), null, commandLine())) {
            Training.run(daemon, loaded.config());
        }
        return ExitCode.OK;
    }

    /** A lost terminal (SIGHUP) ends the JVM its own way: what is done then must be quick. */
    private static Thread hangupHook(Daemon daemon, Duration patience) {
        return new Thread(
                () -> {
                    daemon.requestStop("the JVM is ending");
                    try {
                        daemon.awaitClosed(patience);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                },
                "neuralcore-stop");
    }

    private static String commandLine() {
        return ProcessHandle.current().info().commandLine().orElse("java");
    }
}
