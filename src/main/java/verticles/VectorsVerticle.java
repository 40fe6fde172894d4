package verticles;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.WorkerExecutor;
import java.nio.file.Path;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import neuralcore.config.RuntimeConfig;
import neuralcore.ops.Readiness;
import neuralcore.vectors.CollectionLimits;
import neuralcore.vectors.Collections;
import neuralcore.vectors.Parallel;
import neuralcore.vectors.Similarity;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.simd.Kernels;
import neuralcore.vectors.store.LocalDisk;
import neuralcore.vectors.store.StoreFolder;
import org.jspecify.annotations.Nullable;

/**
 * Runs the vector engine and offers its services; {@link VectorServices} says which, and where each
 * runs.
 *
 * <p>Deploy it once a node: the collections are its own.
 */
public final class VectorsVerticle extends VerticleBase {
    /** Changes wait for the disk, and several can wait for the same sync. */
    private static final int WRITERS = 8;

    /** Beside a thread a core that builds graphs, one that writes snapshots. */
    private static final int SNAPSHOTS = 1;

    private final RuntimeConfig.Vectors config;
    private final int frameBytes;
    private final Path folder;
    private final MeterRegistry meters;
    private @Nullable Future<VectorServices.Engine> engine;

    /**
     * @param frameBytes largest frame that clients take
     * @param folder where collections are kept
     */
    public VectorsVerticle(
            RuntimeConfig.Vectors config, int frameBytes, Path folder, MeterRegistry meters) {
        this.config = config;
        this.frameBytes = frameBytes;
        this.folder = folder;
        this.meters = meters;
    }

    @Override
    public Future<?> start() {
        int threads =
                config.threads() > 0
                        ? config.threads()
                        : Runtime.getRuntime().availableProcessors();
        WorkerExecutor readers = vertx.createSharedWorkerExecutor("neuralcore-vectors", threads);
        WorkerExecutor writers = vertx.createSharedWorkerExecutor("neuralcore-vectors-w", WRITERS);
        WorkerExecutor background =
                vertx.createSharedWorkerExecutor(
                        "neuralcore-vectors-b",
                        threads + SNAPSHOTS,
                        1,
                        TimeUnit.HOURS); // graphs take their time
        Parallel parallel =
                new Parallel(
                        task -> readers.executeBlocking(Executors.callable(task), false), threads);
        // Loading the kernels takes longer than an event loop may be kept, and longer than the door
        // should wait: the first requests do.
        Future<VectorServices.Engine> starting =
                KernelLoading.begin(vertx, context, readers)
                        .map(loaded -> engine(parallel, background))
                        .onSuccess(started -> tell(true, KernelProvider.kernels().name()))
                        .onFailure(failure -> tell(false, String.valueOf(failure.getMessage())));
        engine = starting;
        starting.onSuccess(started -> started.tend(vertx, background));
        Future<?> offered =
                new VectorServices(vertx, meters, starting, readers, writers).offerAll();
        return KernelProvider.isForced() ? Future.all(offered, starting) : offered;
    }

    private void tell(boolean ready, String detail) {
        Readiness.tell(vertx, Readiness.VECTORS, ready, detail);
    }

    private VectorServices.Engine engine(Parallel parallel, WorkerExecutor background) {
        Kernels kernels = KernelProvider.kernels();
        Executor later = task -> background.executeBlocking(Executors.callable(task), false);
        Collections collections =
                new Collections(
                        kernels,
                        new CollectionLimits(
                                config.maxDimension(),
                                config.maxBytes(),
                                config.exactBelow(),
                                frameBytes),
                        later,
                        new Parallel(later, parallel.threads()),
                        RandomGenerator.getDefault(),
                        StoreFolder.open(new LocalDisk(), folder));
        Gauge.builder("neuralcore.vectors.resident", collections, Collections::rows)
                .description("Vectors in collections")
                .register(meters);
        Gauge.builder("neuralcore.vectors.memory", collections, Collections::bytes)
                .description("Memory that collections take")
                .baseUnit("bytes")
                .register(meters);
        return new VectorServices.Engine(collections, new Similarity(kernels, parallel), parallel);
    }

    @Override
    public Future<?> stop() {
        Future<VectorServices.Engine> started = engine;
        return started == null || !started.succeeded()
                ? Future.succeededFuture()
                : vertx.executeBlocking(Executors.callable(started.result().collections()::close));
    }
}
