package verticles.relay;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.MessageConsumer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.CreditBatch;
import neuralcore.eventbus.PublishBatch;
import neuralcore.eventbus.Receipts;
import neuralcore.eventbus.Services;
import neuralcore.eventbus.SettleBatch;
import neuralcore.relay.Refusal;
import neuralcore.relay.Route;
import neuralcore.wire.Burial;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;

/** The bus as a relay uses it: as one more connection, with subscriptions of its own. */
public final class BusPort {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    /** A lease of a message ends with its relay; thirty years are for ever. */
    private static final double LEASE_SECONDS = 1e9;

    private final Vertx vertx;
    private final String connection;
    private final String client;
    private final MessageConsumer<Frame> inbox;
    private final Map<Integer, Consumer<List<Delivery>>> receivers = new HashMap<>();
    private final Map<Integer, Receipts.Way> ways = new HashMap<>();
    private final Receipts receipts;

    /**
     * @param connection unique in the daemon
     * @param client on whose behalf, for what is private
     */
    public BusPort(Vertx vertx, String connection, String client) {
        this.vertx = vertx;
        this.connection = connection;
        this.client = client;
        this.receipts = Receipts.of(vertx);
        this.inbox =
                vertx.eventBus()
                        .localConsumer(
                                Addresses.deliveries(connection),
                                message -> receive(message.body()));
    }

    private void receive(Frame frame) {
        if (!(frame instanceof Frame.Deliver deliver)) {
            return; // Word of room, or of copies evicted: a relay offers again by itself.
        }
        List<Delivery> all = deliver.deliveries();
        int from = 0;
        while (from < all.size()) {
            int subscription = all.get(from).subscription();
            int to = from + 1;
            while (to < all.size() && all.get(to).subscription() == subscription) {
                to++;
            }
            Consumer<List<Delivery>> receiver = receivers.get(subscription);
            if (receiver != null) {
                receiver.accept(all.subList(from, to));
            }
            from = to;
        }
    }

    /** Whether a channel's messages are kept on the disk. */
    public Future<Boolean> isPersistent(String namespace, String channel) {
        return call(Addresses.MESSAGING_CHANNELS, Map.of("namespace", namespace))
                .map(
                        reply ->
                                reply.result().get("channels") instanceof List<?> channels
                                        && channels.stream()
                                                .anyMatch(known -> isKept(known, channel)));
    }

    private static boolean isKept(@Nullable Object config, String channel) {
        return config instanceof Map<?, ?> map
                && channel.equals(map.get("channel"))
                && Boolean.TRUE.equals(map.get("persistent"));
    }

    /**
     * @param group of a durable subscription; null for one that ends with the relay
     * @param way by which publishers know it that wait for its broker
     */
    public Future<Void> subscribe(
            int id,
            Route.Out route,
            @Nullable String group,
            int credit,
            Receipts.Way way,
            Consumer<List<Delivery>> receiver) {
        receivers.put(id, receiver);
        Map<String, @Nullable Object> params = new LinkedHashMap<>();
        params.put("namespace", route.namespace());
        params.put("channel", route.channel());
        params.put("subscription", (long) id);
        params.put("credit", (long) credit);
        if (route.filter() != null) {
            params.put("filter", route.filter());
        }
        if (route.externalOnly()) {
            params.put("exclusive", true);
        }
        if (group != null) {
            params.put("group", group);
            params.put("name", group);
            params.put("durable", true);
            params.put("lease", LEASE_SECONDS);
            // Each restart of the daemon is an attempt; the broker's absence is no message's fault.
            params.put("max_attempts", (long) Integer.MAX_VALUE);
        }
        return call(Addresses.MESSAGING_SUBSCRIBE, params)
                .onSuccess(
                        done -> {
                            ways.put(id, way);
                            receipts.open(way);
                        })
                .mapEmpty();
    }

    /**
     * @param forget whether a durable subscription's place is given up as well
     */
    public Future<Void> unsubscribe(int id, boolean forget) {
        receivers.remove(id);
        Receipts.Way way = ways.remove(id);
        if (way != null) {
            receipts.close(way);
        }
        return call(
                        Addresses.MESSAGING_UNSUBSCRIBE,
                        Map.of("subscription", (long) id, "forget", forget))
                .mapEmpty();
    }

    /** The answer comes once what is to be kept is kept. */
    public Future<Frame.Published> publish(String namespace, List<Envelope> messages) {
        return publish(namespace, messages, "", Map.of());
    }

    /**
     * @param by who has refused what goes to the dead letters
     * @param dead which of the messages do, by their numbers
     */
    public Future<Frame.Published> publish(
            String namespace, List<Envelope> messages, String by, Map<Long, Refusal> dead) {
        Map<Long, Burial> burials = new HashMap<>();
        dead.forEach((number, why) -> burials.put(number, new Burial(by, why.toJson())));
        Frame.Publish frame = new Frame.Publish(1, Frame.Confirm.DURABLE, namespace, messages);
        DeliveryOptions options = Services.local().setSendTimeout(PATIENCE.toMillis());
        return vertx.eventBus()
                .<Frame.Published>request(
                        Addresses.BUS_PUBLISH,
                        new PublishBatch(connection, client, frame, burials),
                        options)
                .map(message -> message.body());
    }

    /**
     * @param dead why those among them that nobody will ever take go to the dead letters
     */
    public void settle(int subscription, List<Delivery> deliveries, Map<Delivery, Refusal> dead) {
        List<Settlement> settlements = new ArrayList<>(deliveries.size());
        for (Delivery delivery : deliveries) {
            Refusal reason = dead.isEmpty() ? null : dead.get(delivery);
            settlements.add(
                    reason == null
                            ? Settlement.ack(subscription, delivery.sequence())
                            : refused(subscription, delivery, reason));
        }
        vertx.eventBus()
                .send(
                        Addresses.BUS_SETTLE,
                        new SettleBatch(connection, new Frame.Settle(1, false, settlements)),
                        Services.local());
    }

    private static Settlement refused(int subscription, Delivery delivery, Refusal why) {
        return new Settlement(
                subscription, Settlement.Kind.TERM, delivery.sequence(), 0, why.toJson());
    }

    public void credit(int subscription, int messages) {
        List<Frame.Grant> grants = List.of(new Frame.Grant(subscription, messages));
        vertx.eventBus()
                .send(
                        Addresses.BUS_CREDIT,
                        new CreditBatch(connection, new Frame.Credit(grants)),
                        Services.local());
    }

    /** Ends all subscriptions; durable ones keep their place. */
    public Future<Void> close() {
        ways.values().forEach(receipts::close);
        vertx.eventBus().publish(Addresses.CONNECTION_CLOSED, connection);
        return inbox.unregister();
    }

    private Future<Reply> call(String address, Map<String, @Nullable Object> params) {
        Request request = new Request(address, new Params(params), List.of(), connection, client);
        return Services.call(vertx, request, PATIENCE);
    }
}
