package verticles;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.WorkerExecutor;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.ops.Readiness;
import neuralcore.vectors.Collections;
import neuralcore.vectors.Parallel;
import neuralcore.vectors.Similarity;
import neuralcore.vectors.VectorRequests;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.simd.Kernels;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;

/**
 * Offers the services {@code neuralcore.vectors.*}. Comparisons that take a few microseconds run on
 * the event loop; everything else, and whatever may wait for a collection's lock, on worker threads
 * of its own, in no fixed order.
 *
 * <p>Deploy it once a node: the collections are its own.
 */
public final class VectorsVerticle extends VerticleBase {
    /** Multiplications up to which a comparison is not worth leaving the event loop. */
    private static final long SMALL = 1 << 16;

    private final RuntimeConfig.Vectors config;
    private final MeterRegistry meters;

    public VectorsVerticle(RuntimeConfig.Vectors config, MeterRegistry meters) {
        this.config = config;
        this.meters = meters;
    }

    @Override
    public Future<?> start() {
        int threads =
                config.threads() > 0
                        ? config.threads()
                        : Runtime.getRuntime().availableProcessors();
        WorkerExecutor workers = vertx.createSharedWorkerExecutor("neuralcore-vectors", threads);
        Parallel parallel =
                new Parallel(
                        task -> workers.executeBlocking(Executors.callable(task), false), threads);
        // Loading the kernels takes longer than an event loop may be kept, and longer than the door
        // should wait: the first requests do.
        Future<VectorRequests> engine =
                KernelLoading.begin(vertx, context, workers)
                        .map(loaded -> engine(KernelProvider.kernels(), parallel))
                        .onSuccess(does -> tell(true, KernelProvider.kernels().name()))
                        .onFailure(failure -> tell(false, String.valueOf(failure.getMessage())));
        Future<?> offered = offerAll(engine, workers);
        return KernelProvider.isForced() ? Future.all(offered, engine) : offered;
    }

    private void tell(boolean ready, String detail) {
        Readiness.tell(vertx, Readiness.VECTORS, ready, detail);
    }

    private VectorRequests engine(Kernels kernels, Parallel parallel) {
        Collections collections =
                new Collections(kernels, config.maxDimension(), config.maxBytes());
        Gauge.builder("neuralcore.vectors.resident", collections, Collections::rows)
                .description("Vectors in collections")
                .register(meters);
        Gauge.builder("neuralcore.vectors.memory", collections, Collections::bytes)
                .description("Memory that collections take")
                .baseUnit("bytes")
                .register(meters);
        return new VectorRequests(collections, new Similarity(kernels, parallel), parallel);
    }

    private Future<?> offerAll(Future<VectorRequests> engine, WorkerExecutor workers) {
        Predicate<Request> small = request -> VectorRequests.comparisonWork(request) <= SMALL;
        Predicate<Request> always = request -> true;
        Predicate<Request> never = request -> false;
        Offer offer =
                (address, service, inline) -> offer(address, engine, service, inline, workers);
        return Future.all(
                List.of(
                        offer.at(Addresses.VECTORS_SIMILARITY, VectorRequests::similarity, small),
                        offer.at(Addresses.VECTORS_TOP_K, VectorRequests::topK, small),
                        offer.at(Addresses.VECTORS_CREATE, VectorRequests::create, always),
                        offer.at(Addresses.VECTORS_LIST, VectorRequests::list, always),
                        offer.at(Addresses.VECTORS_DROP, VectorRequests::drop, never),
                        offer.at(Addresses.VECTORS_UPSERT, VectorRequests::upsert, never),
                        offer.at(Addresses.VECTORS_GET, VectorRequests::get, never),
                        offer.at(Addresses.VECTORS_DELETE, VectorRequests::delete, never),
                        offer.at(Addresses.VECTORS_SEARCH, VectorRequests::search, never)));
    }

    private interface Offer {
        Future<Void> at(
                String address,
                BiFunction<VectorRequests, Request, Reply> service,
                Predicate<Request> inline);
    }

    /** Offers a service, on the event loop for the requests that {@code inline} holds for. */
    private Future<Void> offer(
            String address,
            Future<VectorRequests> engine,
            BiFunction<VectorRequests, Request, Reply> service,
            Predicate<Request> inline,
            WorkerExecutor workers) {
        Timer succeeded = timer(address, "success");
        Timer failed = timer(address, "failure");
        return Services.offer(
                vertx,
                address,
                request -> {
                    Timer.Sample sample = Timer.start(meters);
                    return engine.compose(
                                    does ->
                                            inline.test(request)
                                                    ? Future.succeededFuture(
                                                            service.apply(does, request))
                                                    : workers.executeBlocking(
                                                            () -> service.apply(does, request),
                                                            false))
                            .onComplete(done -> sample.stop(done.succeeded() ? succeeded : failed));
                });
    }

    private Timer timer(String address, String outcome) {
        return Timer.builder("neuralcore.vectors.requests")
                .description("Vector requests, from arrival to reply")
                .tag("operation", address.substring(address.lastIndexOf('.') + 1))
                .tag("outcome", outcome)
                .register(meters);
    }
}
