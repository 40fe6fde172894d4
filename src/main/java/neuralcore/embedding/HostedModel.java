package neuralcore.embedding;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model in a process of its own ({@link ModelHost}), supervised.
 *
 * <p>When the process ends, what it was working on fails with an error that says to try again, and
 * another is started at once. A model whose process ended three times within a minute is in
 * quarantine: it is not started again before the daemon is. Thread-safe; a batch costs a way
 * through a pipe more than in this process.
 */
final class HostedModel implements EmbeddingModel {
    private static final Logger log = LoggerFactory.getLogger(HostedModel.class);
    private static final Duration START = Duration.ofMinutes(2);
    private static final Duration RUN = Duration.ofMinutes(2);
    private static final Duration WINDOW = Duration.ofMinutes(1);
    private static final int CRASHES = 3;

    private final Source source;
    private final long windowNanos;
    private final ModelSpec spec;
    private final Provider provider;
    private final Deque<Long> crashes = new ArrayDeque<>();
    private Connection connection;
    private final CompletableFuture<NeuralCoreException> quarantine = new CompletableFuture<>();
    private boolean closed;

    private HostedModel(Source source, Duration window, Connection connection) {
        this.windowNanos = window.toNanos();
        this.source = source;
        this.connection = connection;
        Ready first = whole(source.spec(), connection::awaitReady);
        this.spec = source.spec().withNetwork(first.precision(), source.spec().graph());
        this.provider = first.kind() == Provider.Kind.CPU ? Provider.CPU : source.provider();
    }

    /** Starts the model's process and waits until the model has run once. */
    static HostedModel start(Source source) {
        return start(source, WINDOW, RUN);
    }

    /**
     * As {@link #start(Source)}.
     *
     * @param window three ends of its process within this time are too many
     * @param run a process that works longer than that on a batch is ended
     */
    static HostedModel start(Source source, Duration window, Duration run) {
        HostedModel model = new HostedModel(source, window, new Connection(source, run));
        model.watch(model.connection);
        return model;
    }

    /** What a model gives when it is first tried; one that ends its process by that is broken. */
    static <T> T whole(ModelSpec spec, Supplier<T> tried) {
        try {
            return tried.get();
        } catch (NeuralCoreException e) {
            if (e.code() != ErrorCode.UNAVAILABLE) {
                throw e;
            }
            throw new NeuralCoreException(
                    ErrorCode.NOT_SUPPORTED,
                    "%s cannot be used, its network or its tokenizer may be broken. %s"
                            .formatted(spec.name(), e.getMessage()),
                    e);
        }
    }

    private void watch(Connection watched) {
        watched.process.onExit().thenRun(() -> ended(watched));
    }

    private synchronized void ended(Connection which) {
        if (closed || which != connection) {
            return;
        }
        long now = System.nanoTime();
        crashes.addLast(now);
        while (now - crashes.getFirst() > windowNanos) {
            crashes.removeFirst();
        }
        String name = source.spec().name();
        if (crashes.size() >= CRASHES) {
            log.error("{} is in quarantine: its process ended {} times", name, CRASHES);
            quarantine.complete(
                    new NeuralCoreException(
                            ErrorCode.MODEL_NOT_READY,
                            "The process of %s ended %d times shortly after each other; it is not started again. Look at the model's files, then start the daemon anew."
                                    .formatted(name, CRASHES)));
            return;
        }
        log.warn("the process of {} ended with {}; starting another", name, which.exitCode());
        connection = new Connection(source, which.run);
        watch(connection);
    }

    private synchronized Connection connection() {
        if (quarantine.isDone()) {
            NeuralCoreException reason = quarantine.join();
            throw new NeuralCoreException(reason.code(), String.valueOf(reason.getMessage()));
        }
        if (closed) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_READY, source.spec().name() + " has been unloaded.");
        }
        return connection;
    }

    /** The process that runs it now. */
    ProcessHandle process() {
        return connection().process.toHandle();
    }

    @Override
    public ModelSpec spec() {
        return spec;
    }

    @Override
    public Provider provider() {
        return provider;
    }

    @Override
    public CompletableFuture<NeuralCoreException> unusable() {
        return quarantine;
    }

    @Override
    public int[][] encode(List<String> texts) {
        return connection()
                .call(
                        HostWire.ENCODE,
                        out -> {
                            out.writeInt(texts.size());
                            for (String text : texts) {
                                HostWire.writeText(out, Tokenizer.wellFormed(text));
                            }
                        },
                        in -> {
                            int[][] ids = new int[texts.size()][];
                            for (int i = 0; i < ids.length; i++) {
                                ids[i] = HostWire.readInts(in);
                            }
                            return ids;
                        });
    }

    @Override
    public BatchRunner newRunner() {
        return this::run;
    }

    private void run(TokenBatch batch, FloatBuffer vectors) {
        float[] values =
                connection()
                        .call(
                                HostWire.RUN,
                                out -> {
                                    HostWire.writeInts(out, batch.ids());
                                    HostWire.writeInts(out, batch.lengths());
                                },
                                HostWire::readFloats);
        vectors.put(0, values);
    }

    @Override
    public synchronized void close() {
        closed = true;
        connection.close();
    }

    /** What a process says when its model has run once. */
    private record Ready(Precision precision, Provider.Kind kind) {}

    @FunctionalInterface
    private interface Writer {
        void write(DataOutputStream out) throws IOException;
    }

    @FunctionalInterface
    private interface Reader<T> {
        T read(DataInputStream in) throws IOException;
    }

    /** A request whose answer has not come. */
    private record Waiting<T>(Reader<T> reader, CompletableFuture<T> answer) {
        void read(DataInputStream in) throws IOException {
            answer.complete(reader.read(in));
        }
    }

    /** One process, from its start to its end. */
    private static final class Connection {
        private final Source source;
        private final Duration run;
        private final Process process;
        private final DataOutputStream out;
        private final CompletableFuture<Ready> ready = new CompletableFuture<>();
        private final Map<Integer, Waiting<?>> waiting = new ConcurrentHashMap<>();
        private final AtomicInteger numbers = new AtomicInteger();
        private volatile boolean over;

        Connection(Source source, Duration run) {
            this.source = source;
            this.run = run;
            ProcessBuilder builder =
                    new ProcessBuilder(
                            Path.of(System.getProperty("java.home", ""), "bin", "java").toString(),
                            "--enable-native-access=ALL-UNNAMED",
                            "-Xms16m",
                            "-Xmx512m",
                            "-XX:+UseSerialGC",
                            "-XX:+ExitOnOutOfMemoryError",
                            "-XX:-CreateCoredumpOnCrash",
                            "-XX:ErrorFile=" + source.cache().resolve("model-process-%p.log"),
                            "-cp",
                            System.getProperty("java.class.path", ""),
                            ModelHost.class.getName());
            builder.redirectError(ProcessBuilder.Redirect.DISCARD);
            try {
                process = builder.start();
            } catch (IOException e) {
                throw new NeuralCoreException(
                        ErrorCode.MODEL_NOT_READY,
                        "No process can be started for %s: %s"
                                .formatted(source.spec().name(), e.getMessage()),
                        e);
            }
            out =
                    new DataOutputStream(
                            new BufferedOutputStream(process.getOutputStream(), 1 << 16));
            Thread.ofPlatform().daemon().name("model-process-" + process.pid()).start(this::listen);
        }

        private void listen() {
            String why;
            try (DataInputStream in =
                    new DataInputStream(
                            new BufferedInputStream(process.getInputStream(), 1 << 16))) {
                HostWire.writeText(out, HostWire.toText(source));
                out.flush();
                if (in.readByte() != HostWire.DONE) {
                    throw new NeuralCoreException(ErrorCode.NOT_SUPPORTED, HostWire.readText(in));
                }
                ready.complete(
                        new Ready(
                                Precision.valueOf(HostWire.readText(in)),
                                Provider.Kind.valueOf(HostWire.readText(in))));
                while (true) {
                    answer(in);
                }
            } catch (NeuralCoreException e) {
                ready.completeExceptionally(e);
                why = String.valueOf(e.getMessage());
            } catch (IOException e) {
                why = "it ended (" + exitCode() + ")";
            }
            over(why);
        }

        private void answer(DataInputStream in) throws IOException {
            int number = in.readInt();
            byte verdict = in.readByte();
            Waiting<?> asked = waiting.remove(number);
            if (asked == null) {
                throw new IOException("an answer to nothing");
            }
            if (verdict == HostWire.DONE) {
                asked.read(in);
            } else {
                asked.answer().completeExceptionally(HostWire.readFailure(in));
            }
        }

        private void over(String why) {
            over = true;
            NeuralCoreException reason = lost(why);
            ready.completeExceptionally(reason);
            waiting.values().forEach(each -> each.answer().completeExceptionally(reason));
            waiting.clear();
            process.destroyForcibly();
        }

        private NeuralCoreException lost(String why) {
            return new NeuralCoreException(
                    ErrorCode.UNAVAILABLE,
                    "The process of %s was lost: %s.".formatted(source.spec().name(), why),
                    1.0);
        }

        Ready awaitReady() {
            try {
                return ready.get(START.toSeconds(), TimeUnit.SECONDS);
            } catch (TimeoutException e) {
                process.destroyForcibly();
                throw new NeuralCoreException(
                        ErrorCode.MODEL_NOT_READY,
                        "The process of %s was not ready after %d seconds."
                                .formatted(source.spec().name(), START.toSeconds()),
                        e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw lost("interrupted");
            } catch (ExecutionException e) {
                throw e.getCause() instanceof NeuralCoreException cause
                        ? cause
                        : new CompletionException(e.getCause());
            }
        }

        <T> T call(byte operation, Writer request, Reader<T> reader) {
            awaitReady();
            int number = numbers.incrementAndGet();
            CompletableFuture<T> answer = new CompletableFuture<>();
            waiting.put(number, new Waiting<>(reader, answer));
            try {
                synchronized (out) {
                    out.writeInt(number);
                    out.writeByte(operation);
                    request.write(out);
                    out.flush();
                }
            } catch (IOException e) {
                answer.completeExceptionally(lost(String.valueOf(e.getMessage())));
            }
            if (over) {
                // It ended between the two: whoever emptied the map did not see this one.
                answer.completeExceptionally(lost("it ended"));
            }
            try {
                return answer.get(run.toNanos(), TimeUnit.NANOSECONDS);
            } catch (TimeoutException e) {
                process.destroyForcibly();
                throw lost("it did not answer for %d seconds".formatted(run.toSeconds()));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw lost("interrupted");
            } catch (ExecutionException e) {
                throw e.getCause() instanceof NeuralCoreException cause
                        ? new NeuralCoreException(
                                cause.code(),
                                String.valueOf(cause.getMessage()),
                                cause.retryAfterSeconds())
                        : new CompletionException(e.getCause());
            }
        }

        String exitCode() {
            try {
                return process.waitFor(1, TimeUnit.SECONDS)
                        ? "exit code " + process.exitValue()
                        : "it runs on";
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return "interrupted";
            }
        }

        void close() {
            try {
                out.close();
            } catch (IOException e) {
                log.debug("the pipe was closed already", e);
            }
            process.destroy();
        }
    }
}
