package neuralcore.bridge;

import io.vertx.core.Future;
import io.vertx.core.eventbus.Message;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.PublishBatch;
import neuralcore.eventbus.Services;
import neuralcore.eventbus.SettleBatch;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/** What a client may ask for by binary frames: calls of services, and publishing. */
final class BinaryFrames {
    private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);
    private static final int MAX_REMEMBERED_CHANNELS = 10_000;

    private final Session session;
    private final AddressRules rules;
    private final Deliveries deliveries;

    /** Channels that the rules allow, so that a message costs one look-up and no matching. */
    private final Set<Channel> allowed = new HashSet<>();

    BinaryFrames(Session session, AddressRules rules, Deliveries deliveries) {
        this.session = session;
        this.rules = rules;
        this.deliveries = deliveries;
    }

    void call(Frame.Call call) {
        Future<Reply> reply;
        try {
            session.callBegins();
        } catch (NeuralCoreException e) {
            session.write(new Frame.Failure(call.correlation(), e.toObject()));
            return;
        }
        try {
            reply = request(call);
        } catch (NeuralCoreException e) {
            reply = Future.failedFuture(e);
        }
        reply.onComplete(
                answer -> {
                    session.callDone();
                    session.write(
                            new Frame.Answer(
                                    call.correlation(), answer.result(), answer.tensors()));
                },
                failure -> {
                    session.callDone();
                    session.write(
                            new Frame.Failure(
                                    call.correlation(),
                                    ((NeuralCoreException) failure).toObject()));
                });
    }

    private Future<Reply> request(Frame.Call call) {
        String address = call.address();
        if (!rules.inboundAllowed(address) || Channel.isChannel(address)) {
            throw new NeuralCoreException(
                    ErrorCode.ACCESS_DENIED,
                    "'%s' is no service that clients may call; bridge.inbound lists them."
                            .formatted(address));
        }
        Duration timeout =
                call.timeoutMillis() == 0
                        ? DEFAULT_TIMEOUT
                        : Duration.ofMillis(call.timeoutMillis());
        Params params = new Params(call.params());
        Request request =
                new Request(address, params, call.tensors(), session.id(), session.client());
        return switch (address) {
            case Addresses.MESSAGING_SUBSCRIBE -> subscribe(request, timeout);
            case Addresses.MESSAGING_UNSUBSCRIBE -> unsubscribe(request, timeout);
            default -> Services.call(session.vertx(), request, timeout);
        };
    }

    private Future<Reply> subscribe(Request request, Duration timeout) {
        Params params = request.params();
        Channel channel = new Channel(params.string("namespace"), params.string("channel"));
        if (!rules.outboundAllowed(channel.address())) {
            throw new NeuralCoreException(
                    ErrorCode.ACCESS_DENIED,
                    "Clients may not subscribe to '%s'; bridge.outbound lists what they may."
                            .formatted(channel.address()));
        }
        int id = params.integer("subscription", -1, 0, Integer.MAX_VALUE);
        int credit = params.integer("credit", Deliveries.MOST_CREDIT, 0, Integer.MAX_VALUE);
        int granted = deliveries.open(id, credit);
        Map<String, @Nullable Object> adjusted = new LinkedHashMap<>(params.values());
        adjusted.put("credit", (long) granted);
        adjusted.put("window", (long) session.limits().deliveryWindow());
        Request forward =
                new Request(
                        request.address(),
                        new Params(adjusted),
                        request.tensors(),
                        request.connection(),
                        request.client());
        return Services.call(session.vertx(), forward, timeout)
                .onFailure(failure -> deliveries.close(id));
    }

    private Future<Reply> unsubscribe(Request request, Duration timeout) {
        int id = request.params().integer("subscription", -1, 0, Integer.MAX_VALUE);
        return Services.call(session.vertx(), request, timeout)
                .onSuccess(reply -> deliveries.close(id));
    }

    void publish(Frame.Publish publish) {
        try {
            check(publish);
        } catch (NeuralCoreException e) {
            session.fail(e); // says why; what follows says which
            rejectAll(publish, e);
            return;
        }
        session.vertx()
                .eventBus()
                .<Frame.Published>request(
                        Addresses.BUS_PUBLISH,
                        new PublishBatch(session.id(), session.client(), publish))
                .map(Message::body)
                .onComplete(
                        published -> {
                            if (publish.confirm() != Frame.Confirm.NONE
                                    || !published.rejections().isEmpty()) {
                                session.write(published);
                            }
                        },
                        failure -> rejectAll(publish, failure));
    }

    void settle(Frame.Settle settle) {
        session.vertx()
                .eventBus()
                .<Frame.Settled>request(Addresses.BUS_SETTLE, new SettleBatch(session.id(), settle))
                .map(Message::body)
                .onComplete(
                        settled -> {
                            if (settle.confirm()) {
                                session.write(settled);
                            }
                        },
                        failure -> session.write(settleFailed(settle, failure)));
    }

    private static Frame.Failure settleFailed(Frame.Settle settle, Throwable failure) {
        NeuralCoreException reason =
                new NeuralCoreException(
                        Services.codeOf(failure),
                        "%d deliveries could not be settled: %s"
                                .formatted(settle.settlements().size(), failure.getMessage()));
        return new Frame.Failure(settle.correlation(), reason.toObject());
    }

    private void check(Frame.Publish publish) {
        String last = null;
        for (Envelope message : publish.messages()) {
            if (message.channel().equals(last)) {
                continue;
            }
            last = message.channel();
            Channel channel = new Channel(publish.namespace(), last);
            if (allowed.contains(channel)) {
                continue;
            }
            if (!rules.inboundAllowed(channel.address())) {
                throw new NeuralCoreException(
                        ErrorCode.ACCESS_DENIED,
                        "Clients may not publish to '%s'; bridge.inbound lists what they may."
                                .formatted(channel.address()));
            }
            if (allowed.size() >= MAX_REMEMBERED_CHANNELS) {
                allowed.clear();
            }
            allowed.add(channel);
        }
    }

    private void rejectAll(Frame.Publish publish, Throwable failure) {
        ErrorCode code = Services.codeOf(failure);
        session.write(
                new Frame.Published(
                        publish.batch(),
                        0,
                        publish.messages().stream()
                                .map(message -> new Frame.Rejection(message.sequence(), code))
                                .toList()));
    }
}
