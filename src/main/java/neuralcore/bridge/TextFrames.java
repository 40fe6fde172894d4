package neuralcore.bridge;

import io.vertx.core.Future;
import io.vertx.core.MultiMap;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
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
    private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);
    private static final Duration REPLY_EXPIRY = Duration.ofSeconds(30);
    private static final int MAX_REPLIES = 64;
    private static final Map<String, @Nullable Object> PONG = Map.of("type", "pong");

    private final Session session;
    private final AddressRules rules;
    private final Deliveries deliveries;
    private final Map<String, Registration> registrations = new HashMap<>();
    private final Map<String, AwaitedReply> replies = new LinkedHashMap<>();
    private final long publisher = ThreadLocalRandom.current().nextLong();
    private long sequence;

    TextFrames(Session session, AddressRules rules, Deliveries deliveries) {
        this.session = session;
        this.rules = rules;
        this.deliveries = deliveries;
    }

    /** A plain address's consumer, or a channel's subscription number. */
    private record Registration(@Nullable MessageConsumer<Object> consumer, int subscription) {}

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
                case "register" -> register(address(json));
                case "unregister" -> unregister(address(json));
                default ->
                        throw new NeuralCoreException(
                                ErrorCode.UNKNOWN_FRAME_TYPE,
                                "A frame of type '%s' is not known.".formatted(shortened(type)));
            }
        } catch (NeuralCoreException e) {
            if (json.get("replyAddress") instanceof String replyAddress) {
                writeFailure(replyAddress, json.get("address"), e);
            } else {
                session.write(new Frame.Text(error(e)));
            }
        }
    }

    void expireReplies(long now) {
        replies.values().removeIf(reply -> now - reply.receivedNanos() > REPLY_EXPIRY.toNanos());
    }

    void close() {
        registrations.values().forEach(this::end);
        registrations.clear();
        replies.clear();
    }

    static Map<String, @Nullable Object> error(NeuralCoreException exception) {
        Map<String, @Nullable Object> error = exception.toObject();
        error.put("type", "err");
        error.put("failureCode", exception.code().number());
        return error;
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
                        session.write(new Frame.Text(error(asException(failure))));
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
                            failure -> session.write(new Frame.Text(error(asException(failure)))));
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
                        Envelope.JSON,
                        Envelope.NONE,
                        payload,
                        payload.length);
        Frame.Publish publish = new Frame.Publish(0, true, channel.namespace(), List.of(envelope));
        return session.vertx()
                .eventBus()
                .<Frame.Published>request(
                        Addresses.BUS_PUBLISH,
                        new PublishBatch(session.id(), session.client(), publish),
                        Services.local())
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

    // Registering

    private void register(String address) {
        if (!rules.outboundAllowed(address)) {
            throw denied(address, "register at");
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
                            .consumer(address, message -> receiveFromBus(address, message));
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
        params.put("credit", (long) Deliveries.window());
        callBus(Addresses.MESSAGING_SUBSCRIBE, params)
                .onFailure(
                        failure -> {
                            registrations.remove(address);
                            deliveries.close(subscription);
                            session.write(new Frame.Text(error(asException(failure))));
                        });
    }

    private void unregister(String address) {
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
                            failure -> session.write(new Frame.Text(error(asException(failure)))));
        }
    }

    private Future<Reply> callBus(String address, Map<String, @Nullable Object> params) {
        Request request =
                new Request(address, new Params(params), List.of(), session.id(), session.client());
        return Services.call(session.vertx(), request, DEFAULT_TIMEOUT);
    }

    private void receiveFromBus(String address, Message<Object> message) {
        writeMessage(address, received(message, address));
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

    // Errors and conversions

    private void checkInbound(String address) {
        if (!rules.inboundAllowed(address)) {
            throw denied(address, "send to");
        }
    }

    private static NeuralCoreException denied(String address, String verb) {
        return new NeuralCoreException(
                ErrorCode.ACCESS_DENIED,
                "access_denied: clients may not %s '%s'.".formatted(verb, shortened(address)));
    }

    private void writeFailure(
            String replyAddress, @Nullable Object sourceAddress, Throwable failure) {
        Map<String, @Nullable Object> error = error(asException(failure));
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

    private static NeuralCoreException asException(Throwable failure) {
        return switch (failure) {
            case NeuralCoreException exception -> exception;
            case ReplyException reply ->
                    new NeuralCoreException(
                            Services.codeOf(reply), String.valueOf(reply.getMessage()), reply);
            default -> new NeuralCoreException(ErrorCode.INTERNAL, failure.toString(), failure);
        };
    }

    private static String address(Map<String, @Nullable Object> json) {
        if (!(json.get("address") instanceof String address) || address.isEmpty()) {
            throw NeuralCoreException.invalid("missing_address: the frame names no address.");
        }
        int length = address.getBytes(StandardCharsets.UTF_8).length;
        if (length > Limits.NAME_BYTES) {
            throw NeuralCoreException.invalid(
                    "The address has %d bytes; at most %d are allowed."
                            .formatted(length, Limits.NAME_BYTES));
        }
        return address;
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

    @SuppressWarnings("unchecked")
    private static Params headers(Map<String, @Nullable Object> json) {
        return json.get("headers") instanceof Map<?, ?> headers
                ? new Params((Map<String, @Nullable Object>) headers)
                : Params.EMPTY;
    }

    /** A header's integer, whether it came as a number or, as event-bus headers do, as text. */
    private static long integer(Params headers, String name, long otherwise) {
        if (headers.raw(name) instanceof String text) {
            try {
                return Long.parseLong(text);
            } catch (NumberFormatException e) {
                throw NeuralCoreException.invalid(
                        "The header '%s' is '%s'; it must be an integer."
                                .formatted(name, shortened(text)));
            }
        }
        return headers.integer(name, otherwise);
    }

    private static Duration timeout(Map<String, @Nullable Object> json) {
        long millis = integer(headers(json), "timeout", DEFAULT_TIMEOUT.toMillis());
        return Duration.ofMillis(Math.clamp(millis, 1, Duration.ofHours(1).toMillis()));
    }

    /** Headers travel; {@code timeout} is obeyed; a client chooses no codec. */
    private static DeliveryOptions options(Map<String, @Nullable Object> json) {
        MultiMap headers = MultiMap.caseInsensitiveMultiMap();
        headers(json)
                .values()
                .forEach(
                        (name, value) -> {
                            if (!"token".equals(name) && value != null) {
                                headers.add(name, String.valueOf(value));
                            }
                        });
        return new DeliveryOptions().setSendTimeout(timeout(json).toMillis()).setHeaders(headers);
    }

    @SuppressWarnings("unchecked")
    private static @Nullable Object toEventBus(@Nullable Object body) {
        return switch (body) {
            case Map<?, ?> map -> new JsonObject((Map<String, Object>) map);
            case List<?> list -> new JsonArray(list);
            case null, default -> body;
        };
    }

    private static @Nullable Object fromEventBus(@Nullable Object body, String address) {
        return switch (body) {
            case null -> null;
            case JsonObject object -> object.getMap();
            case JsonArray array -> array.getList();
            case String _, Number _, Boolean _ -> body;
            default ->
                    throw new NeuralCoreException(
                            ErrorCode.INVALID_REQUEST,
                            "A message at '%s' has no JSON form (%s)."
                                    .formatted(address, body.getClass().getSimpleName()));
        };
    }

    private static String shortened(String text) {
        return text.length() <= 80 ? text : text.substring(0, 80) + "…";
    }
}
