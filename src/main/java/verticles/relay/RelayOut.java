package verticles.relay;

import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.bus.Selector;
import neuralcore.eventbus.Receipts;
import neuralcore.relay.Outbound;
import neuralcore.relay.Refusal;
import neuralcore.relay.RelayCodec;
import neuralcore.relay.RelayMetrics;
import neuralcore.relay.Route;
import neuralcore.relay.RouteParams;
import neuralcore.relay.Target;
import neuralcore.relay.schema.SchemaRegistry;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An outgoing route: takes what the bus delivers, sends it in batches as the server answers, and
 * tells the bus of what was answered. Without a connection it takes no more than its credit, so
 * what waits waits in the bus.
 */
final class RelayOut implements Receipts.Way {
    private static final Logger log = LoggerFactory.getLogger(RelayOut.class);

    private final RelayContext relay;
    private final Route.Out route;
    private final int subscription;
    private Outbound outbound;
    private @Nullable Sender sender;
    private final Selector wanted;
    private final Receipts receipts;
    private volatile boolean keeps;
    private boolean timerSet;
    private boolean subscribed;

    RelayOut(RelayContext relay, Route.Out route, int subscription) {
        this.relay = relay;
        this.route =
                route.externalOnly() ? route.notFrom(relay.place(route.target().name())) : route;
        this.subscription = subscription;
        this.wanted = new Selector(route.channel(), this.route.filter());
        this.receipts = Receipts.of(relay.vertx());
        this.outbound = new Outbound(false, relay.config().batchSize());
    }

    Map<String, @Nullable Object> describe() {
        Map<String, @Nullable Object> map = RouteParams.toMap(route);
        map.put("durable", outbound.isDurable());
        map.put("backlog", outbound.size());
        return map;
    }

    /** Becomes a subscriber of the bus. */
    Future<Void> subscribe() {
        if (subscribed) {
            return Future.succeededFuture();
        }
        Boolean wanted = route.durable();
        boolean single = route.channel().indexOf('*') < 0;
        Future<Boolean> durable =
                wanted != null || !single
                        ? Future.succeededFuture(Boolean.TRUE.equals(wanted))
                        : relay.bus().isPersistent(route.namespace(), route.channel());
        return durable.compose(
                kept -> {
                    keeps = kept;
                    outbound = new Outbound(kept, relay.config().batchSize());
                    subscribed = true;
                    return relay.bus()
                            .subscribe(
                                    subscription,
                                    route,
                                    kept ? group() : null,
                                    relay.config().window(),
                                    this,
                                    this::take);
                });
    }

    /** By target, too: two routes of a channel go on from places of their own. */
    private String group() {
        return relay.routeName(route.target().name());
    }

    /**
     * @param forget whether what it has not relayed is given up for good
     */
    Future<Void> unsubscribe(boolean forget) {
        if (!subscribed) {
            return Future.succeededFuture();
        }
        subscribed = false;
        return relay.bus().unsubscribe(subscription, forget);
    }

    int size() {
        return outbound.size();
    }

    @Override
    public boolean takes(String namespace, Envelope message) {
        return namespace.equals(route.namespace()) && wanted.takes(message);
    }

    @Override
    public boolean isDurable() {
        return keeps;
    }

    private void take(List<Delivery> deliveries) {
        outbound.offer(deliveries);
        pump(true);
    }

    void connected(Sender to) {
        sender = to;
        pump(true);
    }

    void disconnected() {
        sender = null;
        giveUp(outbound.lost());
    }

    private void giveUp(List<Delivery> messages) {
        if (!messages.isEmpty()) {
            relay.metrics().lost += messages.size();
            receipts.failed(this, messages);
            relay.bus().credit(subscription, messages.size());
        }
    }

    private void pump(boolean patient) {
        Sender to = sender;
        while (to != null && to == sender && outbound.hasWaiting()) {
            if (!relay.breaker().allows(RelayContext.nowMillis())) {
                again(relay.config().reconnectMillis());
                return;
            }
            Outbound.Batch batch = outbound.next(patient, System.nanoTime());
            if (batch == null) {
                if (patient && !outbound.isDurable()) {
                    again(relay.config().batchMillis());
                }
                return;
            }
            send(to, batch);
        }
    }

    /** Looks again later, and does not wait for a full batch then. */
    private void again(long millis) {
        if (!timerSet) {
            timerSet = true;
            relay.vertx()
                    .setTimer(
                            Math.max(1, millis),
                            timer -> {
                                timerSet = false;
                                pump(false);
                            });
        }
    }

    private void send(Sender to, Outbound.Batch batch) {
        List<Sender.Item> items = new ArrayList<>(batch.deliveries().size());
        List<Delivery> sent = new ArrayList<>(batch.deliveries().size());
        Map<Delivery, Refusal> invalid = new IdentityHashMap<>();
        RelayMetrics metrics = relay.metrics();
        for (Delivery delivery : batch.deliveries()) {
            Envelope message = delivery.envelope();
            String target = route.target().name().replace(Target.CHANNEL_MARK, message.channel());
            if (message.metaLength() > 0
                    && RelayCodec.origin(message).equals(relay.place(target))) {
                continue; // Who is there has it.
            }
            SchemaRegistry.Verdict verdict = relay.schemas().outgoing(message);
            if (verdict.problem() != null) {
                invalid.put(delivery, Refusal.ofSchema(verdict.problem()));
                continue;
            }
            RelayCodec.Packed packed =
                    relay.codec()
                            .encode(
                                    message,
                                    route.serializer(),
                                    route.compression(),
                                    verdict.tag());
            metrics.plainBytes += packed.plainLength();
            metrics.sentBytes += packed.bytes().length;
            sent.add(delivery);
            items.add(new Sender.Item(target, message, packed.bytes()));
        }
        if (items.isEmpty()) {
            answered(batch, sent, Map.of(), invalid);
            return;
        }
        metrics.batchSizes.record(items.size());
        to.send(items, route.target())
                .onComplete(
                        refused -> answered(batch, sent, refused, invalid),
                        error -> failed(to, batch, error));
    }

    /**
     * @param refused by index in {@code sent}, why the broker will never take a message
     * @param invalid what was not sent, as it is not what its schema says
     */
    private void answered(
            Outbound.Batch batch,
            List<Delivery> sent,
            Map<Integer, String> refused,
            Map<Delivery, Refusal> invalid) {
        if (!outbound.answered(batch)) {
            return; // Given up, or on its way again: the connection broke meanwhile.
        }
        relay.breaker().succeeded();
        int size = batch.deliveries().size();
        RelayMetrics metrics = relay.metrics();
        metrics.published += size - refused.size() - invalid.size();
        metrics.invalid += invalid.size();
        metrics.latencyMicros.record((System.nanoTime() - batch.sentNanos()) / 1_000, size);
        if (!refused.isEmpty()) {
            metrics.errors += refused.size();
            metrics.lost += outbound.isDurable() ? 0 : refused.size();
            warn(refused.size(), refused.values().iterator().next());
        }
        receipts.failed(this, List.copyOf(invalid.keySet()));
        tellPublishers(batch, sent, refused);
        if (outbound.isDurable()) {
            Map<Delivery, Refusal> dead = new IdentityHashMap<>(invalid);
            refused.forEach((index, reason) -> dead.put(sent.get(index), Refusal.ofBroker(reason)));
            relay.bus().settle(subscription, batch.deliveries(), dead);
        } else {
            bury(invalid);
            relay.bus().credit(subscription, size);
        }
        pump(true);
    }

    /** Volatile messages are no subscription's to settle: the bus is told of each by itself. */
    private void bury(Map<Delivery, Refusal> invalid) {
        invalid.forEach(
                (delivery, why) -> {
                    Envelope message = delivery.envelope();
                    relay.bus()
                            .publish(
                                    route.namespace(),
                                    List.of(message),
                                    group(),
                                    Map.of(message.sequence(), why));
                });
    }

    private void tellPublishers(
            Outbound.Batch batch, List<Delivery> sent, Map<Integer, String> refused) {
        if (!refused.isEmpty()) {
            receipts.failed(this, refused.keySet().stream().map(sent::get).toList());
        }
        receipts.relayed(this, batch.deliveries());
    }

    private void warn(int messages, String reason) {
        log.warn(
                "Relay {}: {} did not take {} messages for {}: {}",
                relay.config().name(),
                relay.config().brokerWord(),
                messages,
                route.target().name(),
                reason.length() > 200 ? reason.substring(0, 200) + "…" : reason);
    }

    private void failed(Sender to, Outbound.Batch batch, Throwable error) {
        if (to != sender) {
            return; // The end of the connection has been dealt with as a whole.
        }
        String reason = String.valueOf(error.getMessage());
        if (to.isLoss(error)) {
            giveUp(outbound.failed(batch));
            return; // Its end is about to be told, and is no answer.
        }
        relay.metrics().errors++;
        warn(batch.deliveries().size(), reason);
        giveUp(outbound.failed(batch));
        again(relay.breaker().failed(RelayContext.nowMillis()));
    }
}
