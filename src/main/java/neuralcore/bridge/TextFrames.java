package neuralcore.bridge;

import static neuralcore.bridge.TextErrors.asException;
import static neuralcore.bridge.TextFields.*;

import io.vertx.core.Future;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.ReplyException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.PublishBatch;
import neuralcore.eventbus.Services;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * The verbs of the Vert.x event-bus bridge: send, publish, register, unregister, ping. An address
 * is a service, a bus channel, or a plain event-bus address between clients.
 */
final class TextFrames {
    private static final Duration REPLY_EXPIRY = Duration.ofSeconds(30);
    private static final int MAX_REPLIES = 64;
    private static final Map<String, @Nullable Object> PONG = Map.of("type", "pong");

    private final Session session;
    private final AddressRules rules;
    private final Registrations registrations;
    private final Map<String, AwaitedReply> replies = new LinkedHashMap<>();
    private final long publisher = ThreadLocalRandom.current().nextLong();
    private long sequence;

    TextFrames(Session session, AddressRules rules, Deliveries deliveries) {
        this.session = session;
        this.rules = rules;
        this.registrations =
                new Registrations(
                        session,
                        rules,
                        deliveries,
                        (address, message) -> writeMessage(address, received(message, address)));
    }

    /** A message this client has received and may still answer. */
    private record AwaitedReply(Message<Object> message, long receivedNanos) {}

    void receive(Map<String, @Nullable Object> json) {
        String type = json.get("type") instanceof String text ? text : "";
        try {
            switch (type) {
                case "ping" -> {
                    if (session.dialect().answersPing) {
                        session.write(new Frame.Text(PONG));
                    }
                }
                case "send" -> send(address(json), json);
                case "publish" -> publish(address(json), json);
                case "register" -> registrations.register(address(json));
                case "unregister" -> registrations.unregister(address(json));
                default ->
                        throw new NeuralCoreException(
                                ErrorCode.UNKNOWN_FRAME_TYPE,
                                "A frame of type '%s' is not known.".formatted(shortened(type)));
            }
        } catch (NeuralCoreException e) {
            if (json.get("replyAddress") instanceof String replyAddress) {
                writeFailure(replyAddress, json.get("address"), e);
            } else {
                session.write(new Frame.Text(TextErrors.frame(e)));
            }
        }
    }

    void expireReplies(long now) {
        replies.values().removeIf(reply -> now - reply.receivedNanos() > REPLY_EXPIRY.toNanos());
    }

    void close() {
        registrations.close();
        replies.clear();
    }

    // Sending

    private void send(String address, Map<String, @Nullable Object> json) {
        AwaitedReply awaited = replies.remove(address);
        if (awaited != null) {
            answer(awaited.message(), json);
            return;
        }
        checkInbound(address);
        String replyAddress = json.get("replyAddress") instanceof String text ? text : null;
        session.callBegins();
        Future<Map<String, @Nullable Object>> reply;
        try {
            reply = dispatch(address, json, replyAddress != null);
        } catch (NeuralCoreException e) {
            session.callDone();
            throw e;
        }
        reply.onComplete(
                message -> {
                    session.callDone();
                    if (replyAddress != null) {
                        writeMessage(replyAddress, message);
                    }
                },
                failure -> {
                    session.callDone();
                    if (replyAddress != null) {
                        writeFailure(replyAddress, address, failure);
                    } else {
                        session.write(new Frame.Text(TextErrors.frame(asException(failure))));
                    }
                });
    }

    /** The future reply, as the fields {@code body} and perhaps more of a message frame. */
    private Future<Map<String, @Nullable Object>> dispatch(
            String address, Map<String, @Nullable Object> json, boolean wantsReply) {
        Object body = json.get("body");
        if (Channel.isChannel(address)) {
            return enqueue(address, json).map(id -> bodyOf(Map.of("id", id)));
        }
        if (isService(address)) {
            checkIsNoSubscription(address);
            Request request =
                    ServiceParameters.toRequest(address, body, session.id(), session.client());
            return Services.call(session.vertx(), request, timeout(json))
                    .map(TextFrames::bodyOfReply);
        }
        DeliveryOptions options = options(json);
        EventBus bus = session.vertx().eventBus();
        if (!wantsReply) {
            bus.send(address, toEventBus(body), options);
            return Future.succeededFuture(new LinkedHashMap<>());
        }
        return bus.request(address, toEventBus(body), options)
                .map(message -> received(message, "reply"));
    }

    private void publish(String address, Map<String, @Nullable Object> json) {
        checkInbound(address);
        if (Channel.isChannel(address)) {
            enqueue(address, json)
                    .onFailure(
                            failure ->
                                    session.write(
                                            new Frame.Text(
                                                    TextErrors.frame(asException(failure)))));
        } else if (isService(address)) {
            throw NeuralCoreException.invalid(
                    "'%s' is a service: send to it instead of publishing.".formatted(address));
        } else {
            session.vertx()
                    .eventBus()
                    .publish(address, toEventBus(json.get("body")), options(json));
        }
    }

    /** Queues a message on a bus channel; the future is its id. */
    private Future<String> enqueue(String address, Map<String, @Nullable Object> json) {
        Channel channel = Channel.ofAddress(address);
        byte[] payload = Json.write(json.get("body"));
        Params headers = headers(json);
        Envelope envelope =
                new Envelope(
                        channel.name(),
                        publisher,
                        ++sequence,
                        System.currentTimeMillis() * 1_000_000,
                        integer(headers, "priority", Envelope.DEFAULT_PRIORITY),
                        (int) Math.clamp(integer(headers, "ttl", 0), 0, Integer.MAX_VALUE),
                        Math.max(integer(headers, "delay", 0), 0),
                        Envelope.JSON,
                        Envelope.NONE,
                        payload,
                        payload.length);
        Frame.Publish publish =
                new Frame.Publish(
                        0, Frame.Confirm.ACCEPTED, channel.namespace(), List.of(envelope));
        return session.vertx()
                .eventBus()
                .<Frame.Published>request(
                        Addresses.BUS_PUBLISH,
                        new PublishBatch(session.id(), session.client(), publish))
                .map(
                        published -> {
                            if (!published.body().rejections().isEmpty()) {
                                ErrorCode code = published.body().rejections().getFirst().code();
                                throw new NeuralCoreException(
                                        code, "'%s' did not take the message.".formatted(address));
                            }
                            return envelope.id();
                        });
    }

    private void answer(Message<Object> message, Map<String, @Nullable Object> json) {
        if (json.get("failureCode") instanceof Number failureCode) {
            message.fail(failureCode.intValue(), String.valueOf(json.get("message")));
        } else if (json.get("replyAddress") instanceof String replyAddress) {
            message.replyAndRequest(toEventBus(json.get("body")), options(json))
                    .onComplete(
                            reply -> {
                                writeMessage(replyAddress, received(reply, "reply"));
                            },
                            failure -> writeFailure(replyAddress, json.get("address"), failure));
        } else {
            message.reply(toEventBus(json.get("body")), options(json));
        }
    }

    private void writeMessage(String address, Map<String, ? extends @Nullable Object> fields) {
        Map<String, @Nullable Object> frame = new LinkedHashMap<>(fields);
        frame.put("type", session.dialect().messageType);
        frame.put("address", address);
        frame.putIfAbsent("headers", Map.of());
        frame.putIfAbsent("send", true);
        session.write(new Frame.Text(frame));
    }

    /** The fields of a message frame, and a reply address if one is awaited. */
    private Map<String, @Nullable Object> received(Message<Object> message, String address) {
        Map<String, @Nullable Object> frame = new LinkedHashMap<>();
        Map<String, @Nullable Object> headers = new LinkedHashMap<>();
        message.headers().forEach(entry -> headers.put(entry.getKey(), entry.getValue()));
        frame.put("headers", headers);
        frame.put("body", fromEventBus(message.body(), address));
        frame.put("send", message.isSend());
        if (message.replyAddress() != null) {
            if (replies.size() >= MAX_REPLIES) {
                replies.remove(replies.keySet().iterator().next());
            }
            String replyAddress = message.replyAddress();
            replies.put(replyAddress, new AwaitedReply(message, System.nanoTime()));
            frame.put("replyAddress", replyAddress);
        }
        return frame;
    }

    private void checkInbound(String address) {
        if (!rules.inboundAllowed(address)) {
            throw TextErrors.denied(address, "send to");
        }
    }

    private void writeFailure(
            String replyAddress, @Nullable Object sourceAddress, Throwable failure) {
        Map<String, @Nullable Object> error = TextErrors.frame(asException(failure));
        error.put("address", replyAddress);
        error.put("sourceAddress", sourceAddress);
        error.put("failureType", "RECIPIENT_FAILURE");
        if (failure instanceof ReplyException reply) {
            error.put("failureCode", reply.failureCode());
            error.put("failureType", reply.failureType().name());
            error.put("message", reply.getMessage());
        }
        session.write(new Frame.Text(error));
    }

    /** Its deliveries would find nobody here: JSON clients register. */
    private static void checkIsNoSubscription(String address) {
        if (address.equals(Addresses.MESSAGING_SUBSCRIBE)
                || address.equals(Addresses.MESSAGING_UNSUBSCRIBE)) {
            throw NeuralCoreException.invalid(
                    ("'%s' is for binary frames; register at '%s<namespace>.<channel>', or"
                                    + " unregister there.")
                            .formatted(address, Addresses.CHANNEL_PREFIX));
        }
    }

    private static boolean isService(String address) {
        return address.startsWith("neuralcore.");
    }

    private static Map<String, @Nullable Object> bodyOf(@Nullable Object body) {
        Map<String, @Nullable Object> frame = new LinkedHashMap<>();
        frame.put("body", body);
        return frame;
    }

    private static Map<String, @Nullable Object> bodyOfReply(Reply reply) {
        return bodyOf(ServiceParameters.toBody(reply));
    }
}
