package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executors;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.vectors.CollectionRequests;
import neuralcore.vectors.Collections;
import neuralcore.vectors.Parallel;
import neuralcore.vectors.Similarity;
import neuralcore.vectors.VectorRequests;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * The services {@code neuralcore.vectors.*}. Comparisons that take a few microseconds, and quick
 * searches, run on the event loop; other reading on the readers' threads; whatever waits for the
 * disk on the writers', so that no search waits behind it. In no fixed order.
 */
final class VectorServices {
    /** Multiplications up to which a comparison is not worth leaving the event loop. */
    private static final long SMALL = 1 << 16;

    private static final long ORPHANS_MILLIS = 10_000;

    private static final AtOnce NEVER = (does, request) -> null;

    /** What answers. */
    record Engine(Collections collections, Similarity similarity, Parallel parallel) {

        VectorRequests vectors() {
            return new VectorRequests(collections, similarity);
        }

        CollectionRequests requests() {
            return new CollectionRequests(collections, parallel);
        }

        /** The same for one caller, whom it works for no longer than that one waits. */
        Engine until(BooleanSupplier gone) {
            Parallel whileWanted = parallel.until(gone);
            return new Engine(collections, similarity.on(whileWanted), whileWanted);
        }

        /** Opens what is on disk, and from then on drops what killed processes have left. */
        void tend(Vertx vertx, WorkerExecutor background) {
            background.executeBlocking(Executors.callable(collections::openAll), false);
            vertx.setPeriodic(
                    ORPHANS_MILLIS,
                    timer ->
                            background.executeBlocking(
                                    Executors.callable(collections::dropOrphans), false));
        }
    }

    /** One of the engine's answers. */
    private interface Service extends BiFunction<Engine, Request, Reply> {}

    /** An answer on the event loop, or null if it would keep that too long. */
    private interface AtOnce {
        @Nullable Reply answer(Engine engine, Request request);
    }

    private final Vertx vertx;
    private final MeterRegistry meters;
    private final Future<Engine> engine;
    private final WorkerExecutor readers;
    private final WorkerExecutor writers;
    private final Callers callers;

    /** The connection of the search before; known to the event loop alone. */
    private String lastSearcher = "";

    /**
     * @param engine requests wait for it
     */
    VectorServices(
            Vertx vertx,
            MeterRegistry meters,
            Future<Engine> engine,
            WorkerExecutor readers,
            WorkerExecutor writers) {
        this.vertx = vertx;
        this.meters = meters;
        this.engine = engine;
        this.readers = readers;
        this.writers = writers;
        this.callers = Callers.of(vertx);
    }

    Future<?> offerAll() {
        return Future.all(
                List.of(
                        comparing(Addresses.VECTORS_SIMILARITY, VectorRequests::similarity),
                        comparing(Addresses.VECTORS_TOP_K, VectorRequests::topK),
                        offer(
                                Addresses.VECTORS_SEARCH,
                                (does, request) -> does.requests().search(request),
                                this::searchAlone,
                                readers),
                        reading(Addresses.VECTORS_LIST, CollectionRequests::list),
                        reading(Addresses.VECTORS_GET, CollectionRequests::get),
                        reading(Addresses.VECTORS_COUNT, CollectionRequests::count),
                        reading(Addresses.VECTORS_SCROLL, CollectionRequests::scroll),
                        reading(Addresses.VECTORS_DESCRIBE, CollectionRequests::describe),
                        writing(Addresses.VECTORS_CREATE, CollectionRequests::create),
                        writing(Addresses.VECTORS_DROP, CollectionRequests::drop),
                        writing(Addresses.VECTORS_UPSERT, CollectionRequests::upsert),
                        writing(Addresses.VECTORS_DELETE, CollectionRequests::delete),
                        writing(Addresses.VECTORS_SNAPSHOT, CollectionRequests::snapshot)));
    }

    /**
     * A quick search of somebody who searches alone, one thing after another: two changes of thread
     * would take longer than the search. Several at a time are better served by several threads.
     */
    private @Nullable Reply searchAlone(Engine does, Request request) {
        boolean alone = request.connection().equals(lastSearcher);
        lastSearcher = request.connection();
        return alone ? does.requests().searchIfQuick(request) : null;
    }

    private Future<Void> comparing(
            String address, BiFunction<VectorRequests, Request, Reply> comparison) {
        Service service = (does, request) -> comparison.apply(does.vectors(), request);
        return offer(
                address,
                service,
                (does, request) ->
                        VectorRequests.comparisonWork(request) <= SMALL
                                ? service.apply(does, request)
                                : null,
                readers);
    }

    private Future<Void> reading(
            String address, BiFunction<CollectionRequests, Request, Reply> service) {
        return offer(
                address,
                (does, request) -> service.apply(does.requests(), request),
                NEVER,
                readers);
    }

    private Future<Void> writing(
            String address, BiFunction<CollectionRequests, Request, Reply> service) {
        return offer(
                address,
                (does, request) -> service.apply(does.requests(), request),
                NEVER,
                writers);
    }

    /** Offers a service, on the event loop where {@code atOnce} answers. */
    private Future<Void> offer(
            String address, Service service, AtOnce atOnce, WorkerExecutor workers) {
        Timer succeeded = timer(address, "success");
        Timer failed = timer(address, "failure");
        return Services.offerUntil(
                vertx,
                address,
                (request, deadline) -> {
                    Timer.Sample sample = Timer.start(meters);
                    return engine.compose(
                                    does -> {
                                        Reply reply = atOnce.answer(does, request);
                                        return reply != null
                                                ? Future.succeededFuture(reply)
                                                : aside(service, does, request, deadline, workers);
                                    })
                            .onComplete(done -> sample.stop(done.succeeded() ? succeeded : failed));
                });
    }

    /** What waited for a thread longer than its caller did is not begun. */
    private Future<Reply> aside(
            Service service, Engine does, Request request, long deadline, WorkerExecutor workers) {
        Callers.Caller caller = callers.of(request.connection(), deadline);
        Engine engine = does.until(caller::isGone);
        return workers.executeBlocking(
                        () -> {
                            engine.parallel().check();
                            return service.apply(engine, request);
                        },
                        false)
                .onComplete(done -> caller.served())
                .map(Objects::requireNonNull);
    }

    private Timer timer(String address, String outcome) {
        return Timer.builder("neuralcore.vectors.requests")
                .description("Vector requests, from arrival to reply")
                .tag("operation", address.substring(address.lastIndexOf('.') + 1))
                .tag("outcome", outcome)
                .register(meters);
    }
}
