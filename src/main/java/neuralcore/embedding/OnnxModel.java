package neuralcore.embedding;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import ai.onnxruntime.OrtSession.SessionOptions.OptLevel;
import ai.onnxruntime.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A network in ONNX Runtime: token ids to vectors.
 *
 * <p>The graph is optimized once, kept in ONNX Runtime's own format and mapped, not read: a session
 * opens in half the time, and weights that are used as they lie in the file (half of MiniLM's) stay
 * shared pages that the system can take back.
 *
 * <p>Thread-safe; what a run needs besides the network is in its {@link Runner}, of which each
 * thread has its own.
 */
public final class OnnxModel implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(OnnxModel.class);
    private final ModelSpec spec;
    private final OrtEnvironment environment;
    private final Sessions<OrtSession> sessions;
    private final Provider provider;
    private final String output;
    private final boolean pooled;

    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private boolean closed;

    private OnnxModel(
            ModelSpec spec,
            OrtEnvironment environment,
            Sessions<OrtSession> sessions,
            Provider provider)
            throws OrtException {
        this.spec = spec;
        this.provider = provider;
        this.output = output(spec, sessions.narrow());
        this.pooled = checkOutput(spec, sessions.narrow(), output);
        this.environment = environment;
        this.sessions = sessions;
    }

    /**
     * Opens a model's network, optimizing it first if that has not been done.
     *
     * @param threads threads of a run that is alone and short, the caller's included
     * @param wanted what to run it on; where ONNX Runtime cannot, it is the processor
     * @param background where what is needed later is opened
     */
    static OnnxModel open(
            ModelSpec spec,
            ModelStore store,
            CacheFolder cache,
            int threads,
            Provider wanted,
            Executor background) {
        NativeLibraries.provideOnnxRuntime(cache);
        OrtEnvironment environment = environment();
        boolean exact = Processor.multipliesInt8();
        // The cache may come from another machine.
        String form = environment.getVersion() + (exact ? "" : "-u8");
        Path file =
                store.graph(
                        spec,
                        "onnxruntime-" + form + ".ort",
                        (onnx, target) ->
                                optimize(
                                        environment,
                                        onnx,
                                        target,
                                        exact,
                                        store.origin(spec, spec.graph())));
        try {
            Provider provider = usable(wanted);
            Sessions<OrtSession> sessions =
                    new Sessions<>(
                            new Mapped(environment, file, provider),
                            provider.kind() == Provider.Kind.CPU ? threads : 1,
                            background);
            try {
                return new OnnxModel(spec, environment, sessions, provider);
            } catch (OrtException | RuntimeException e) {
                sessions.close();
                throw e;
            }
        } catch (OrtException | IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_READY,
                    "%s cannot be opened: %s. Delete %s; it will be made anew."
                            .formatted(spec.name(), e.getMessage(), file),
                    e);
        }
    }

    /** The provider, if ONNX Runtime's library has it and finds its device, else the processor. */
    private static Provider usable(Provider wanted) {
        try (SessionOptions options = new SessionOptions()) {
            wanted.apply(options);
            return wanted;
        } catch (OrtException e) {
            log.warn(
                    "{} cannot be used, the processor is: {}. docs/embedding.md tells what it needs.",
                    wanted.kind().shown(),
                    e.getMessage());
            return Provider.CPU;
        }
    }

    /** Opens sessions on a mapped network, which they read from as long as they are open. */
    private static final class Mapped implements Sessions.Opener<OrtSession> {
        private final OrtEnvironment environment;
        private final Provider provider;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment graph;

        Mapped(OrtEnvironment environment, Path file, Provider provider) throws IOException {
            this.environment = environment;
            this.provider = provider;
            try (FileChannel channel = FileChannel.open(file)) {
                graph = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            }
        }

        /**
         * What a session has read of the file does not stay in memory: of half of the weights it
         * has made copies of its own, laid out for its products, and what it uses as it lies in the
         * file is read again from the system's cache.
         */
        @Override
        public OrtSession open(int threads) throws OrtException {
            try (SessionOptions options = options(threads)) {
                provider.apply(options);
                // It is optimized already.
                options.setOptimizationLevel(OptLevel.NO_OPT);
                options.addConfigEntry("session.use_ort_model_bytes_directly", "1");
                options.addConfigEntry("session.use_ort_model_bytes_for_initializers", "1");
                OrtSession session = environment.createSession(graph.asByteBuffer(), options);
                graph.unload();
                return session;
            }
        }

        /** At once: unloaded models must not wait in memory for a collection. */
        @Override
        public void close() {
            arena.close();
        }
    }

    private static OrtEnvironment environment() {
        OrtEnvironment environment =
                OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR);
        OnnxLeftovers.remove();
        try {
            // For Windows; elsewhere it has been switched off before it could begin.
            environment.setTelemetry(false);
        } catch (OrtException e) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_SUPPORTED, "ONNX Runtime's telemetry cannot be switched off.", e);
        }
        return environment;
    }

    /**
     * Writes the optimized network.
     *
     * @param exact whether the processor adds products of unsigned and signed int8 exactly. Where
     *     two of them meet in 16 bits and saturate, ONNX Runtime makes signed weights unsigned: the
     *     same products, added in 32 bits.
     * @param origin where the user has the file
     */
    private static void optimize(
            OrtEnvironment environment, Path onnx, Path target, boolean exact, String origin) {
        try (SessionOptions options = options(1)) {
            // "Extended" fuses all that can be fused here and fits every CPU; "all" does not.
            options.setOptimizationLevel(OptLevel.EXTENDED_OPT);
            options.setOptimizedModelFilePath(target.toString());
            options.addConfigEntry("session.save_model_format", "ORT");
            options.addConfigEntry("session.disable_prepacking", "1");
            options.addConfigEntry("session.x64quantprecision", exact ? "0" : "1");
            environment.createSession(onnx.toString(), options).close();
        } catch (OrtException e) {
            String why = String.valueOf(e.getMessage()).replace(onnx.toString(), origin);
            boolean parts = why.contains("External data");
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_READY,
                    "ONNX Runtime cannot use %s: %s%s"
                            .formatted(
                                    origin,
                                    why,
                                    parts
                                            ? ". It keeps weights in files beside it; python -m neuralcore.convert opset makes one file of all."
                                            : ""),
                    e);
        }
    }

    private static SessionOptions options(int threads) throws OrtException {
        SessionOptions options = new SessionOptions();
        options.setIntraOpNumThreads(threads);
        options.setInterOpNumThreads(1);
        // Lengths vary: a pattern for each would be kept for ever.
        options.setMemoryPatternOptimization(false);
        // Spin while a run goes on (a quarter less time for one text), not between runs.
        options.addConfigEntry("session.force_spinning_stop", "1");
        return options;
    }

    /** The name of the output to use: the one described, or the only one there is. */
    private static String output(ModelSpec spec, OrtSession session) {
        Set<String> inputs = session.getInputNames();
        Set<String> outputs = session.getOutputNames();
        boolean known = spec.inputs().containsAll(inputs);
        if (known && outputs.contains(spec.output())) {
            return spec.output();
        }
        if (known && outputs.size() == 1) {
            return outputs.iterator().next();
        }
        throw unfit(
                spec,
                "takes %s and gives %s; inputs of %s and the output %s are expected"
                        .formatted(inputs, outputs, spec.inputs(), spec.output()));
    }

    /** Whether the output has a vector a text, not one a token. */
    private static boolean checkOutput(ModelSpec spec, OrtSession session, String output)
            throws OrtException {
        NodeInfo info = Objects.requireNonNull(session.getOutputInfo().get(output));
        long[] shape =
                info.getInfo() instanceof TensorInfo tensor && tensor.type == OnnxJavaType.FLOAT
                        ? tensor.getShape()
                        : new long[0];
        boolean fits = shape.length == 2 || shape.length == 3;
        long last = fits ? shape[shape.length - 1] : 0;
        if (!fits || (last >= 0 && last != spec.dimension())) {
            throw unfit(
                    spec,
                    "gives %s as %s; float32 vectors of %d numbers are expected"
                            .formatted(
                                    output,
                                    fits ? Arrays.toString(shape) : info.getInfo(),
                                    spec.dimension()));
        }
        return shape.length == 2;
    }

    private static NeuralCoreException unfit(ModelSpec spec, String why) {
        return new NeuralCoreException(
                ErrorCode.NOT_SUPPORTED, "The network of %s %s.".formatted(spec.name(), why));
    }

    /** What it runs on. */
    public Provider provider() {
        return provider;
    }

    /** ONNX Runtime has no code of its own for it. */
    private static boolean isShortOfMemory(OrtException e) {
        String message = String.valueOf(e.getMessage());
        return message.contains("bad_alloc")
                || message.contains("Failed to allocate memory")
                || message.contains("out of memory")
                || message.contains("smaller than requested bytes");
    }

    /** Ids of texts are the tokenizer's and known; others come from requests that bring ids. */
    private static boolean isOfUnknownId(OrtException e) {
        return e.getCode() == OrtException.OrtErrorCode.ORT_INVALID_ARGUMENT
                && String.valueOf(e.getMessage()).contains("indices element out of data bounds");
    }

    /** What one thread needs to run batches. */
    public Runner newRunner() {
        return new Runner();
    }

    /** Ends its sessions, after the runs in progress. */
    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                sessions.close();
            }
        } finally {
            lock.writeLock().unlock();
        }
    }

    /**
     * Runs batches for one thread. Its buffers are native memory that the network reads and writes
     * directly; they grow to the largest batch run. Not thread-safe.
     */
    public final class Runner implements EmbeddingModel.BatchRunner {
        private LongBuffer ids = LongBuffer.allocate(0);
        private LongBuffer mask = LongBuffer.allocate(0);
        private LongBuffer types = LongBuffer.allocate(0);
        private FloatBuffer results = FloatBuffer.allocate(0);
        private final float[] scratch = new float[spec.dimension()];
        private final float[] vector = new float[spec.dimension()];

        private Runner() {}

        @Override
        public void run(TokenBatch batch, FloatBuffer vectors) {
            if (batch.texts() == 0) {
                return;
            }
            int width = batch.width();
            if (width > spec.maxTokens()) {
                throw NeuralCoreException.invalid(
                        "A text has %d tokens, %s takes %d."
                                .formatted(width, spec.name(), spec.maxTokens()));
            }
            reserve(batch.texts() * width);
            fill(batch, width);
            lock.readLock().lock();
            try {
                if (closed) {
                    throw new NeuralCoreException(
                            ErrorCode.MODEL_NOT_READY, spec.name() + " has been unloaded.");
                }
                sessions.run(
                        batch.texts() * width, session -> compute(session, batch.texts(), width));
            } catch (OrtException e) {
                if (isShortOfMemory(e)) {
                    throw new OutOfMemoryError(e.getMessage());
                }
                if (isOfUnknownId(e)) {
                    throw NeuralCoreException.invalid(
                            "A token id is none of those that %s has.".formatted(spec.name()));
                }
                throw new NeuralCoreException(
                        ErrorCode.INTERNAL,
                        "%s failed on %d texts of up to %d tokens: %s"
                                .formatted(spec.name(), batch.texts(), width, e.getMessage()),
                        e);
            } finally {
                lock.readLock().unlock();
            }
            pool(batch, width, vectors);
        }

        private void reserve(int tokens) {
            if (tokens > ids.capacity()) {
                ids = direct(tokens * Long.BYTES).asLongBuffer();
                mask = direct(tokens * Long.BYTES).asLongBuffer();
                types = direct(tokens * Long.BYTES).asLongBuffer();
                results =
                        direct(Math.multiplyExact(tokens, spec.dimension() * Float.BYTES))
                                .asFloatBuffer();
            }
        }

        private void fill(TokenBatch batch, int width) {
            int from = 0;
            int to = 0;
            for (int length : batch.lengths()) {
                for (int i = 0; i < width; i++, to++) {
                    boolean real = i < length;
                    ids.put(to, real ? batch.ids()[from + i] : 0);
                    mask.put(to, real ? 1 : 0);
                }
                if (Pairs.scores(spec)) {
                    fillTypes(batch.ids(), from, length, to - width, width);
                }
                from += length;
            }
        }

        /**
         * Of a pair's tokens, those behind the first separator, which also ends it, are of type 1.
         */
        private void fillTypes(int[] ids, int from, int length, int to, int width) {
            int separator = ids[from + length - 1];
            long type = 0;
            for (int i = 0; i < width; i++) {
                types.put(to + i, i < length ? type : 0);
                if (i < length && ids[from + i] == separator) {
                    type = 1;
                }
            }
        }

        private void compute(OrtSession session, int texts, int width) throws OrtException {
            long[] shape = {texts, width};
            int tokens = texts * width;
            Map<String, OnnxTensor> inputs = new HashMap<>();
            int rows = pooled ? texts : tokens;
            long dimension = spec.dimension();
            try (OnnxTensor result =
                    OnnxTensor.createTensor(
                            environment,
                            results.slice(0, rows * spec.dimension()),
                            pooled
                                    ? new long[] {texts, dimension}
                                    : new long[] {texts, width, dimension})) {
                for (String name : session.getInputNames()) {
                    LongBuffer values =
                            switch (spec.inputs().indexOf(name)) {
                                case 0 -> ids;
                                case 1 -> mask;
                                default -> types;
                            };
                    inputs.put(
                            name,
                            OnnxTensor.createTensor(environment, values.slice(0, tokens), shape));
                }
                session.run(inputs, Map.of(output, result)).close();
            } finally {
                inputs.values().forEach(OnnxTensor::close);
            }
        }

        private void pool(TokenBatch batch, int width, FloatBuffer vectors) {
            int dimension = spec.dimension();
            for (int row = 0; row < batch.texts(); row++) {
                if (pooled) {
                    results.get(row * dimension, vector);
                } else {
                    int first = row * width * dimension;
                    spec.pooling().pool(results, first, batch.lengths()[row], scratch, vector);
                }
                if (!isFinite(vector)) {
                    throw new NeuralCoreException(
                            ErrorCode.INTERNAL,
                            "%s gave a vector that is not finite.".formatted(spec.name()));
                }
                vectors.put(row * dimension, vector);
            }
        }

        private static boolean isFinite(float[] vector) {
            for (float value : vector) {
                if (!Float.isFinite(value)) {
                    return false;
                }
            }
            return true;
        }

        private static ByteBuffer direct(int bytes) {
            return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
        }
    }
}
