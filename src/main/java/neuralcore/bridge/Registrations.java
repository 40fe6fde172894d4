package neuralcore.bridge;

import static neuralcore.bridge.TextErrors.asException;

import io.vertx.core.Future;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/** Where a JSON client is registered: at channels, and at plain event-bus addresses. */
final class Registrations {
    private final Session session;
    private final AddressRules rules;
    private final Deliveries deliveries;
    private final BiConsumer<String, Message<Object>> receive;
    private final Map<String, Registration> registrations = new HashMap<>();

    /**
     * @param receive takes the plain address and what was sent to it
     */
    Registrations(
            Session session,
            AddressRules rules,
            Deliveries deliveries,
            BiConsumer<String, Message<Object>> receive) {
        this.session = session;
        this.rules = rules;
        this.deliveries = deliveries;
        this.receive = receive;
    }

    /** A plain address's consumer, or a channel's subscription number. */
    private record Registration(@Nullable MessageConsumer<Object> consumer, int subscription) {}

    /** Ends all of them. */
    void close() {
        registrations.values().forEach(this::end);
        registrations.clear();
    }

    void register(String address) {
        if (!rules.outboundAllowed(address)) {
            throw TextErrors.denied(address, "register at");
        }
        if (registrations.containsKey(address)) {
            return;
        }
        if (Channel.isChannel(address)) {
            registerChannel(address);
        } else {
            session.subscriptionBegins();
            MessageConsumer<Object> consumer =
                    session.vertx()
                            .eventBus()
                            .consumer(address, message -> receive.accept(address, message));
            registrations.put(address, new Registration(consumer, 0));
        }
    }

    private void registerChannel(String address) {
        Channel channel = Channel.ofAddress(address);
        int subscription = deliveries.openText(address);
        registrations.put(address, new Registration(null, subscription));
        Map<String, @Nullable Object> params = new LinkedHashMap<>();
        params.put("namespace", channel.namespace());
        params.put("channel", channel.name());
        params.put("subscription", Integer.toUnsignedLong(subscription));
        params.put("credit", (long) Deliveries.MOST_CREDIT);
        params.put("window", (long) session.limits().deliveryWindow());
        callBus(Addresses.MESSAGING_SUBSCRIBE, params)
                .onFailure(
                        failure -> {
                            registrations.remove(address);
                            deliveries.close(subscription);
                            session.write(new Frame.Text(TextErrors.frame(asException(failure))));
                        });
    }

    void unregister(String address) {
        Registration registration = registrations.remove(address);
        if (registration == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND, "Nothing is registered at '" + address + "'.");
        }
        end(registration);
    }

    private void end(Registration registration) {
        if (registration.consumer() != null) {
            registration.consumer().unregister();
            session.subscriptionEnded();
        } else if (!session.isClosed()) {
            deliveries.close(registration.subscription());
            Map<String, @Nullable Object> params = new LinkedHashMap<>();
            params.put("subscription", Integer.toUnsignedLong(registration.subscription()));
            callBus(Addresses.MESSAGING_UNSUBSCRIBE, params)
                    .onFailure(
                            failure ->
                                    session.write(
                                            new Frame.Text(
                                                    TextErrors.frame(asException(failure)))));
        }
    }

    private Future<Reply> callBus(String address, Map<String, @Nullable Object> params) {
        Request request =
                new Request(address, new Params(params), List.of(), session.id(), session.client());
        return Services.call(session.vertx(), request, TextFields.DEFAULT_TIMEOUT);
    }
}
