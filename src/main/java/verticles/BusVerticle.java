package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Handler;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.Message;
import java.util.List;
import java.util.SplittableRandom;
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
import neuralcore.eventbus.Services;
import neuralcore.eventbus.SettleBatch;
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
    private final MeterRegistry registry;
    private @Nullable BusMeters meters;
    private @Nullable Alarm alarm;

    /**
     * @param nowMillis a clock that does not jump; its zero means nothing
     */
    public BusVerticle(RuntimeConfig.Bus config, MeterRegistry registry, LongSupplier nowMillis) {
        BusSettings settings =
                BusSettings.of(config.maxQueueSize(), config.defaultPriority())
                        .withProfiles(new Profiles(config.profiles()));
        Surroundings surroundings =
                new Surroundings(nowMillis, System::currentTimeMillis, new SplittableRandom());
        // Whoever gets past the door has the owner's user account or token.
        Access access = new Access(config.access(), connection -> Principal.OWNER);
        Interceptors interceptors = Interceptors.load(config.interceptors());
        this.bus = new BusService(settings, surroundings, access, interceptors, this::send);
        this.registry = registry;
    }

    @Override
    public Future<?> start() {
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
        return Future.all(
                List.of(
                        consume(Addresses.BUS_PUBLISH, this::publish),
                        consume(Addresses.BUS_CREDIT, this::credit),
                        consume(Addresses.BUS_SETTLE, this::settle),
                        consume(Addresses.CONNECTION_CLOSED, this::connectionClosed),
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
        return Future.succeededFuture();
    }

    private void publish(Message<PublishBatch> message) {
        PublishBatch batch = message.body();
        try {
            message.reply(
                    bus.publish(batch.connection(), batch.client(), batch.publish()),
                    Services.local());
            alarm();
        } catch (RuntimeException e) {
            log.error("A batch of connection {} failed", batch.connection(), e);
            message.fail(ErrorCode.INTERNAL.number(), "The bus failed: " + e);
        }
    }

    private void credit(Message<CreditBatch> message) {
        bus.credit(message.body().connection(), message.body().credit());
        alarm();
    }

    private void settle(Message<SettleBatch> message) {
        SettleBatch batch = message.body();
        message.reply(bus.settle(batch.connection(), batch.settle()), Services.local());
        alarm();
    }

    private void connectionClosed(Message<String> message) {
        bus.connectionClosed(message.body());
        alarm();
    }

    private void alarm() {
        if (alarm != null) {
            alarm.set();
        }
    }

    private void send(String connection, Frame frame) {
        vertx.eventBus().send(Addresses.deliveries(connection), frame, Services.local());
    }

    private <T> Future<Void> consume(String address, Handler<Message<T>> handler) {
        return vertx.eventBus().consumer(address, handler).completion();
    }

    private Future<Void> offer(String address, Function<Request, Reply> service) {
        return Services.offer(
                vertx,
                address,
                request -> {
                    Reply reply = service.apply(request);
                    alarm();
                    return Future.succeededFuture(reply);
                });
    }
}
