package neuralcore.ops;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.ModelLoader;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import verticles.EmbeddingVerticle;
import verticles.Listening;
import verticles.NodeAnnouncements;
import verticles.RuntimeVerticle;
import verticles.SystemVerticle;

/**
 * One daemon, from taking the data folder to letting it go. {@link #start} returns when the door
 * answers; {@link #awaitStop} when somebody wants it to end; {@link #close} drains and gives
 * everything back, in the opposite order of taking it. Thread-safe.
 */
public final class Daemon implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Daemon.class);
    private static final Duration LOCK_PATIENCE = Duration.ofMillis(500);
    private static final Duration START_DEADLINE = Duration.ofSeconds(60);
    private static final Duration LOADING_DEADLINE = Duration.ofSeconds(30);
    private static final Duration CLOSE_DEADLINE = Duration.ofSeconds(5);

    /** Something taken, and how to give it back. */
    private record Taken(String what, AutoCloseable giveBack) {}

    private final RuntimeConfig config;
    private final Instant started = Instant.now();
    private final CompletableFuture<String> stop = new CompletableFuture<>();
    private final CompletableFuture<Void> closed = new CompletableFuture<>();
    private final Deque<Taken> taken = new ArrayDeque<>();
    private final HeadStart headStart;
    private volatile ExitCode exitCode = ExitCode.OK;
    private @Nullable Vertx vertx;

    private Daemon(RuntimeConfig config, HeadStart headStart) {
        this.config = config;
        this.headStart = headStart;
    }

    /**
     * Starts a daemon.
     *
     * @param readyFile another place for the ready file, besides the data folder
     * @param command how this process was started, for whoever finds the folder taken
     * @throws NeuralCoreException with the reason; everything taken is given back then
     */
    static Daemon start(
            RuntimeConfig config, @Nullable Path readyFile, String command, HeadStart headStart) {
        Daemon daemon = new Daemon(config, headStart);
        try {
            daemon.open(readyFile, command);
            return daemon;
        } catch (NeuralCoreException e) {
            log.error("The daemon did not start: {}", e.getMessage());
            daemon.close();
            throw e;
        } catch (IOException | RuntimeException e) {
            log.error("The daemon did not start", e);
            daemon.close();
            throw new NeuralCoreException(ErrorCode.INTERNAL, "The daemon did not start: " + e, e);
        }
    }

    private void open(@Nullable Path readyFile, String command) throws IOException {
        Path run = config.data().run();
        DataFolder.prepare(config);
        DataFolderLock lock = DataFolderLock.acquire(run, command, LOCK_PATIENCE);
        take("lock", lock);
        // Whatever daemon left it here, it is gone: we hold the lock.
        Files.deleteIfExists(run.resolve(ReadyFile.NAME));
        StaleSocket.remove(config.bridge().socket());
        Logging.setLevel(config.log().level());
        Logging.toFile(config.data().logs().resolve("daemon.log"));
        String token = TokenFile.readOrCreate(run);
        if (config.roles().contains(RuntimeConfig.Role.EMBEDDING)) {
            take("model loading", () -> ModelLoader.awaitQuiet(LOADING_DEADLINE));
            EmbeddingVerticle.preload(config.embedding(), config.data().cache());
        }
        Vertx vertx = buildVertx();
        this.vertx = vertx;
        take("Vert.x", () -> await(vertx.close(), CLOSE_DEADLINE));
        Readiness readiness = Readiness.of(vertx);
        readiness.expect(Readiness.DOOR);
        if (config.roles().contains(RuntimeConfig.Role.EMBEDDING)) {
            readiness.expect(Readiness.MODEL);
        }
        if (config.roles().contains(RuntimeConfig.Role.VECTORS)) {
            readiness.expect(Readiness.VECTORS);
        }
        watch(vertx);
        FolderWatch.start(vertx, lock);
        Metrics metrics = headStart.metrics();
        take("metrics", metrics);
        Listening listening = deploy(vertx, token, metrics);
        announce(readiness, listening, readyFile);
        readiness.set(Readiness.DOOR, true, "");
        log.info(
                "neuralcore {} answers on {}, TCP {}, HTTP {}, {} ms after its start",
                Version.NUMBER,
                config.bridge().socket(),
                Listening.shown(listening.host(), listening.port()),
                Listening.shown(listening.httpHost(), listening.httpPort()),
                Duration.between(processStart(), Instant.now()).toMillis());
        if (!config.log().console()) {
            Logging.leaveStandardError();
        }
        vertx.executeBlocking(
                () -> {
                    metrics.addJvmMeters();
                    HeapRelease.start(vertx);
                    return null;
                });
    }

    private Vertx buildVertx() {
        limitJson();
        // Vert.x's own resolver takes a twentieth of a start. Nothing here looks names up often.
        System.setProperty("vertx.disableDnsResolver", "true");
        int cores = Math.max(2, Runtime.getRuntime().availableProcessors());
        VertxOptions options =
                new VertxOptions()
                        .setEventLoopPoolSize(config.eventLoops())
                        .setWorkerPoolSize(2 * cores)
                        .setInternalBlockingPoolSize(4)
                        .setFileSystemOptions(
                                new FileSystemOptions()
                                        .setFileCachingEnabled(false)
                                        .setClassPathResolvingEnabled(false));
        Vertx vertx =
                config.cluster().enabled()
                        ? await(
                                ClusteredVertx.build(options, config, System.getenv()),
                                START_DEADLINE)
                        : Vertx.builder().with(options).build();
        Services.registerCodecs(vertx.eventBus(), config.cluster().maxFrame());
        return vertx;
    }

    /** Vert.x reads SockJS envelopes itself; a message is quoted in them, so they may be longer. */
    private void limitJson() {
        long text = 4L * config.bridge().maxTextFrame();
        System.setProperty(
                "vertx.jackson.defaultReadMaxNestingDepth", String.valueOf(Json.MAX_DEPTH));
        System.setProperty("vertx.jackson.defaultReadMaxDocumentLength", String.valueOf(text));
        System.setProperty("vertx.jackson.defaultReadMaxStringLength", String.valueOf(text));
        System.setProperty(
                "vertx.jackson.defaultReadMaxNumberLength", String.valueOf(Json.MAX_NUMBER));
        System.setProperty("vertx.jackson.defaultReadMaxNameLength", String.valueOf(Json.MAX_NAME));
        System.setProperty("vertx.jackson.defaultMaxTokenCount", String.valueOf(Json.MAX_TOKENS));
    }

    private Listening deploy(Vertx vertx, String token, Metrics metrics) {
        await(vertx.deployVerticle(new SystemVerticle(config, started)), START_DEADLINE);
        RuntimeVerticle runtime = new RuntimeVerticle(config, token, metrics.registry());
        String id = await(vertx.deployVerticle(runtime), START_DEADLINE);
        take("services", () -> await(vertx.undeploy(id), config.lifecycle().drain()));
        if (vertx.isClustered() && config.roles().contains(RuntimeConfig.Role.EMBEDDING)) {
            Duration drain = config.lifecycle().drain();
            take("embedding for others", () -> await(NodeAnnouncements.leave(vertx, drain), drain));
        }
        return runtime.listening();
    }

    private void announce(Readiness readiness, Listening listening, @Nullable Path readyFile)
            throws IOException {
        List<Path> files = new ArrayList<>();
        files.add(config.data().run().resolve(ReadyFile.NAME));
        if (readyFile != null) {
            files.add(readyFile.toAbsolutePath());
        }
        ReadyFile ready = new ReadyFile(files);
        take("ready file", ready);
        readiness.onChange(
                () -> {
                    try {
                        ready.write(() -> contents(readiness, listening));
                    } catch (IOException e) {
                        log.warn("The ready file could not be rewritten: {}", e.toString());
                    }
                });
        ready.write(() -> contents(readiness, listening));
    }

    private ReadyFile.Contents contents(Readiness readiness, Listening listening) {
        return new ReadyFile.Contents(
                ProcessHandle.current().pid(),
                config.bridge().socket(),
                listening.host(),
                listening.port(),
                listening.httpHost(),
                listening.httpPort(),
                TokenFile.in(config.data().run()),
                started,
                config.roles().stream().map(RuntimeConfig.Role::key).toList(),
                config.lifecycle().idleExit().toMillis(),
                readiness.isReady(Readiness.MODEL));
    }

    private void watch(Vertx vertx) {
        vertx.eventBus()
                .<String>localConsumer(Addresses.STOP, message -> requestStop(message.body()));
        vertx.eventBus()
                .<String>localConsumer(
                        Addresses.FATAL,
                        message -> {
                            exitCode = ExitCode.of(ErrorCode.valueOf(message.body()));
                            requestStop(message.body());
                        });
        if (!config.lifecycle().idleExit().isZero()) {
            IdleExit.start(vertx, config.lifecycle().idleExit(), this::requestStop);
        }
    }

    private void take(String what, AutoCloseable giveBack) {
        taken.push(new Taken(what, giveBack));
    }

    /** For calls from within the process. */
    Vertx vertx() {
        return Objects.requireNonNull(vertx, "the daemon has not started");
    }

    Path readyFile() {
        return config.data().run().resolve(ReadyFile.NAME);
    }

    /** How the process is to end. */
    ExitCode exitCode() {
        return exitCode;
    }

    /** The first reason counts. */
    public void requestStop(String reason) {
        stop.complete(reason);
    }

    /** Waits until somebody asks for a stop, and says who. */
    public String awaitStop() {
        return stop.join();
    }

    /** Waits until {@link #close} has done its work, at most so long. */
    void awaitClosed(Duration most) throws InterruptedException {
        try {
            closed.get(most.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            log.warn("Stopped before everything was given back");
        }
    }

    @Override
    public void close() {
        while (!taken.isEmpty()) {
            Taken next = taken.pop();
            try {
                next.giveBack().close();
            } catch (Exception e) {
                log.warn("{} did not end as it should: {}", next.what(), e.toString());
            }
        }
        closed.complete(null);
    }

    private static Instant processStart() {
        return ProcessHandle.current().info().startInstant().orElseGet(Instant::now);
    }

    private static <T> T await(Future<T> future, Duration most) {
        try {
            return future.toCompletionStage()
                    .toCompletableFuture()
                    .get(most.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new NeuralCoreException(
                    ErrorCode.TIMEOUT, "nothing within %d ms".formatted(most.toMillis()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new NeuralCoreException(ErrorCode.SHUTTING_DOWN, "interrupted", e);
        } catch (ExecutionException e) {
            throw StartFailure.explain(e.getCause() == null ? e : e.getCause());
        }
    }
}
