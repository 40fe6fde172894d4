package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Handler;
import io.vertx.core.Promise;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.Message;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.function.LongSupplier;
import neuralcore.bus.Access;
import neuralcore.bus.BusService;
import neuralcore.bus.BusSettings;
import neuralcore.bus.Interceptors;
import neuralcore.bus.Principal;
import neuralcore.bus.Profiles;
import neuralcore.bus.Surroundings;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.CreditBatch;
import neuralcore.eventbus.PublishBatch;
import neuralcore.eventbus.Receipts;
import neuralcore.eventbus.Services;
import neuralcore.eventbus.SettleBatch;
import neuralcore.journal.JournalFolder;
import neuralcore.journal.JournalSettings;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The priority bus on the event bus: takes whole batches from the bridge, and sends each connection
 * what a step produced for it in as few frames as their size allows. One instance, one event loop.
 */
public final class BusVerticle extends VerticleBase {
    private static final Logger log = LoggerFactory.getLogger(BusVerticle.class);

    /** How late a message can be found to have expired while nobody takes from its queue. */
    private static final long TICK_MILLIS = 100;

    private final BusService bus;

    /** Pages of journals are read here, for that blocks on the disk. */
    private final ExecutorService reading =
            Executors.newSingleThreadExecutor(
                    Thread.ofPlatform().name("journal pages").daemon().factory());

    private final MeterRegistry registry;
    private final @Nullable JournalFolder journals;
    private @Nullable JournalServices journalServices;

    /** Journals that spoke while the bus was being recovered, on a worker's thread. */
    private final Set<String> spokeEarly = new HashSet<>();

    private boolean recovered;
    private @Nullable BusMeters meters;
    private @Nullable Alarm alarm;
    private @Nullable RemoteDeliveries remote;

    /** A bus that keeps nothing. */
    public BusVerticle(RuntimeConfig.Bus config, MeterRegistry registry, LongSupplier nowMillis) {
        this(config, null, registry, nowMillis);
    }

    /**
     * @param journals where messages are kept; null if they are not
     * @param nowMillis a clock that does not jump; its zero means nothing
     */
    public BusVerticle(
            RuntimeConfig.Bus config,
            @Nullable JournalFolder journals,
            MeterRegistry registry,
            LongSupplier nowMillis) {
        BusSettings settings =
                BusSettings.of(config.maxQueueSize(), config.defaultPriority())
                        .withProfiles(new Profiles(config.profiles()));
        Surroundings surroundings =
                new Surroundings(
                        nowMillis,
                        System::currentTimeMillis,
                        new SplittableRandom(),
                        journals == null
                                ? null
                                : new Surroundings.Storage(journals, reading, this::journalSpoke));
        Access access = new Access(config.access(), Principal::of);
        Interceptors interceptors = Interceptors.load(config.interceptors());
        this.bus = new BusService(settings, surroundings, access, interceptors, this::send);
        this.registry = registry;
        this.journals = journals;
    }

    @Override
    public Future<?> start() {
        remote = new RemoteDeliveries(vertx, this::connectionClosed);
        bus.onStorageFailure(
                (code, reason) -> vertx.eventBus().publish(Addresses.FATAL, code.name()));
        return vertx.executeBlocking(
                        () -> {
                            bus.recover();
                            return null;
                        })
                .compose(
                        done -> {
                            recovered = true;
                            spokeEarly.forEach(bus::journalSpoke);
                            return open();
                        });
    }

    private Future<?> open() {
        BusMeters started = new BusMeters(registry, bus.namespaces());
        meters = started;
        alarm = new Alarm(vertx, bus::quietMillis, TICK_MILLIS, bus::tick);
        vertx.setPeriodic(
                TICK_MILLIS,
                timer -> {
                    bus.tick();
                    alarm();
                    started.sample(bus.namespaces());
                });
        Future<?> more = Future.succeededFuture();
        if (journals != null) {
            journalServices = new JournalServices(vertx, bus, journals);
            more = journalServices.offer();
        }
        return Future.all(
                List.of(
                        more,
                        consume(Addresses.BUS_PUBLISH, this::publish),
                        consume(Addresses.BUS_CREDIT, this::credit),
                        consume(Addresses.BUS_SETTLE, this::settle),
                        consume(
                                Addresses.CONNECTION_CLOSED,
                                (Message<String> closed) -> connectionClosed(closed.body())),
                        offer(Addresses.MESSAGING_SUBSCRIBE, bus::subscribe),
                        offer(Addresses.MESSAGING_UNSUBSCRIBE, bus::unsubscribe),
                        offer(Addresses.MESSAGING_CREATE, bus::create),
                        offer(Addresses.MESSAGING_CONFIGURE, bus::configure),
                        offer(Addresses.MESSAGING_PROFILE, bus::profile),
                        offer(Addresses.MESSAGING_REMOVE, bus::remove),
                        offer(Addresses.MESSAGING_CHANNELS, bus::channels),
                        offer(Addresses.MESSAGING_STATS, bus::stats),
                        offer(Addresses.MESSAGING_CLOSE, bus::close)));
    }

    @Override
    public Future<?> stop() {
        if (meters != null) {
            meters.close();
        }
        Future<?> closed =
                journalServices == null ? Future.succeededFuture() : journalServices.close();
        return closed.compose(pools -> vertx.executeBlocking(this::letGo));
    }

    private @Nullable Void letGo() {
        bus.close();
        reading.shutdown();
        return null;
    }

    /** The journals of a daemon, in its data folder. */
    static JournalFolder journals(RuntimeConfig config) {
        RuntimeConfig.Journal journal = config.bus().journal();
        JournalSettings standard = JournalSettings.STANDARD;
        return new JournalFolder(
                config.data().folder().resolve("bus"),
                config.data().cache(),
                new JournalSettings(
                        journal.retention().toMillis(),
                        journal.maxBytes(),
                        standard.ballastBytes(),
                        standard.checkpointBytes(),
                        standard.tailRows()),
                System::currentTimeMillis,
                journal.acceptLoss());
    }

    private void journalSpoke(String namespace) {
        context.runOnContext(
                now -> {
                    if (recovered) {
                        bus.journalSpoke(namespace);
                        alarm();
                    } else {
                        spokeEarly.add(namespace);
                    }
                });
    }

    private void publish(Message<PublishBatch> message) {
        PublishBatch batch = message.body();
        seen(batch.connection());
        try {
            if (batch.publish().confirm() == Frame.Confirm.RELAYED) {
                publishAndRelay(message);
                return;
            }
            Frame.Published published =
                    bus.publish(batch.connection(), batch.client(), batch.publish(), batch.dead());
            if (batch.publish().confirm() == Frame.Confirm.DURABLE) {
                bus.whenKept(published, kept -> message.reply(kept, Services.local()));
            } else {
                message.reply(published, Services.local());
            }
            alarm();
        } catch (RuntimeException e) {
            log.error("A batch of connection {} failed", batch.connection(), e);
            message.fail(ErrorCode.INTERNAL.number(), "The bus failed: " + e);
        }
    }

    private void publishAndRelay(Message<PublishBatch> message) {
        PublishBatch batch = message.body();
        Receipts.Batch receipts =
                Receipts.of(vertx)
                        .expect(
                                vertx,
                                batch.publish(),
                                published -> message.reply(published, Services.local()));
        Frame.Published published =
                bus.publish(batch.connection(), batch.client(), receipts.toQueue());
        bus.whenKept(published, receipts::queued);
        alarm();
    }

    private void credit(Message<CreditBatch> message) {
        bus.credit(message.body().connection(), message.body().credit());
        alarm();
    }

    private void settle(Message<SettleBatch> message) {
        SettleBatch batch = message.body();
        Frame.Settled settled = bus.settle(batch.connection(), batch.settle());
        bus.whenKept(() -> message.reply(settled, Services.local()));
        alarm();
    }

    private void connectionClosed(String connection) {
        if (remote != null) {
            remote.closed(connection);
        }
        bus.connectionClosed(connection);
        alarm();
    }

    private void seen(String connection) {
        if (remote != null) {
            remote.seen(connection);
        }
    }

    private void alarm() {
        if (alarm != null) {
            alarm.set();
        }
    }

    private void send(String connection, Frame frame) {
        if (remote != null) {
            remote.send(connection, frame);
        }
    }

    private <T> Future<Void> consume(String address, Handler<Message<T>> handler) {
        return vertx.eventBus().consumer(address, handler).completion();
    }

    private Future<Void> offer(String address, Function<Request, Reply> service) {
        return Services.offer(
                vertx,
                address,
                request -> {
                    seen(request.connection());
                    Reply reply = service.apply(request);
                    Promise<Reply> kept = Promise.promise();
                    bus.whenKept(() -> kept.complete(reply));
                    alarm();
                    return kept.future();
                });
    }
}
