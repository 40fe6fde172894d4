package neuralcore.eventbus;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.ReplyException;
import java.time.Duration;
import java.util.function.BiFunction;
import java.util.function.Function;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Offering and calling services: requests in, replies or failures with an error code out. */
public final class Services {
    private static final Logger log = LoggerFactory.getLogger(Services.class);

    /** Milliseconds. Set by {@link #call} alone: clients' headers do not reach services. */
    private static final String PATIENCE = "neuralcore-patience";

    private Services() {}

    /** For what concerns this node alone, or has no form outside its process. */
    public static DeliveryOptions local() {
        return new DeliveryOptions().setLocalOnly(true);
    }

    /** Makes the event bus of a node that is in no cluster know what travels on it. */
    public static void registerCodecs(EventBus bus) {
        registerCodecs(bus, Integer.MAX_VALUE);
    }

    /**
     * Makes an event bus know what travels on it. Once, before the first verticle.
     *
     * @param mostBytes of a message to another node
     */
    public static void registerCodecs(EventBus bus, int mostBytes) {
        bus.registerDefaultCodec(Request.class, FramedCodec.ofRequests(mostBytes));
        bus.registerDefaultCodec(Reply.class, FramedCodec.ofReplies(mostBytes));
        bus.registerDefaultCodec(ServiceFailure.class, FramedCodec.ofFailures(mostBytes));
        bus.registerDefaultCodec(PublishBatch.class, FramedCodec.ofPublishes(mostBytes));
        bus.registerDefaultCodec(CreditBatch.class, FramedCodec.ofCredits(mostBytes));
        bus.registerDefaultCodec(SettleBatch.class, FramedCodec.ofSettles(mostBytes));
        bus.registerDefaultCodec(RoutedFrame.class, FramedCodec.ofRouted(mostBytes));
        registerFrame(bus, Frame.Published.class, mostBytes);
        registerFrame(bus, Frame.Deliver.class, mostBytes);
        registerFrame(bus, Frame.Settled.class, mostBytes);
        registerFrame(bus, Frame.Flow.class, mostBytes);
    }

    private static <F extends Frame> void registerFrame(
            EventBus bus, Class<F> type, int mostBytes) {
        bus.registerDefaultCodec(type, FramedCodec.ofFrames(type, mostBytes));
    }

    /**
     * Offers a service at an address. What {@code service} throws, or fails its future with, goes
     * back to the caller: a {@link NeuralCoreException} as it is, anything else as {@link
     * ErrorCode#INTERNAL} and into the log.
     */
    public static Future<Void> offer(
            Vertx vertx, String address, Function<Request, Future<Reply>> service) {
        return vertx.eventBus()
                .<Request>consumer(address, message -> answer(message, service))
                .completion();
    }

    /**
     * The same for a service whose work is worth ending when nobody waits for it any longer.
     *
     * @param service gets the request and when its caller gives up, by {@link System#nanoTime}
     */
    public static Future<Void> offerUntil(
            Vertx vertx, String address, BiFunction<Request, Long, Future<Reply>> service) {
        return vertx.eventBus()
                .<Request>consumer(address, message -> answerUntil(message, service))
                .completion();
    }

    /** As {@link #offerUntil}, to callers on this node only. */
    public static void offerLocallyUntil(
            Vertx vertx, String address, BiFunction<Request, Long, Future<Reply>> service) {
        vertx.eventBus().<Request>localConsumer(address, message -> answerUntil(message, service));
    }

    private static void answerUntil(
            Message<Request> message, BiFunction<Request, Long, Future<Reply>> service) {
        long deadline = System.nanoTime() + patience(message).toNanos();
        answer(message, request -> service.apply(request, deadline));
    }

    /** How long the caller said it would wait; a clock of its own would not be ours. */
    private static Duration patience(Message<Request> message) {
        String millis = message.headers().get(PATIENCE);
        return Duration.ofMillis(
                millis == null ? DeliveryOptions.DEFAULT_TIMEOUT : Long.parseLong(millis));
    }

    /** Offers a service to callers on this node only: one that is about the node itself. */
    public static void offerLocally(
            Vertx vertx, String address, Function<Request, Future<Reply>> service) {
        vertx.eventBus().<Request>localConsumer(address, message -> answer(message, service));
    }

    /** Calls a service; the future fails with a {@link NeuralCoreException}. */
    public static Future<Reply> call(Vertx vertx, Request request, Duration timeout) {
        DeliveryOptions options =
                new DeliveryOptions()
                        .setSendTimeout(timeout.toMillis())
                        .addHeader(PATIENCE, String.valueOf(timeout.toMillis()));
        return vertx.eventBus()
                .<Reply>request(request.address(), request, options)
                .map(Message::body)
                .recover(failure -> Future.failedFuture(toException(failure, request, timeout)));
    }

    private static void answer(Message<Request> message, Function<Request, Future<Reply>> service) {
        Future<Reply> reply;
        try {
            reply = service.apply(message.body());
        } catch (RuntimeException e) {
            reply = Future.failedFuture(e);
        }
        reply.onComplete(message::reply, failure -> fail(message, failure));
    }

    private static void fail(Message<Request> message, Throwable failure) {
        message.reply(new ServiceFailure(toException(failure, message.body().address())));
    }

    private static NeuralCoreException toException(Throwable failure, String address) {
        if (failure instanceof NeuralCoreException exception) {
            return exception;
        }
        log.error("{} failed", address, failure);
        return new NeuralCoreException(
                ErrorCode.INTERNAL,
                "%s failed: %s. The daemon's log has the details.".formatted(address, failure),
                failure);
    }

    private static NeuralCoreException toException(
            Throwable failure, Request request, Duration timeout) {
        if (failure instanceof ServiceFailure known) {
            return known.exception();
        }
        if (!(failure instanceof ReplyException reply)) {
            return toException(failure, request.address());
        }
        return switch (reply.failureType()) {
            case TIMEOUT ->
                    new NeuralCoreException(
                            ErrorCode.TIMEOUT,
                            "%s did not answer within %d ms."
                                    .formatted(request.address(), timeout.toMillis()));
            case NO_HANDLERS ->
                    new NeuralCoreException(
                            ErrorCode.UNKNOWN_ADDRESS,
                            "Nothing answers at %s; the node may lack the role."
                                    .formatted(request.address()));
            case RECIPIENT_FAILURE ->
                    new NeuralCoreException(
                            ErrorCode.ofNumber(reply.failureCode()),
                            String.valueOf(reply.getMessage()));
            case ERROR -> toException(reply, request.address());
        };
    }

    /** The code of a failed event-bus request. */
    public static ErrorCode codeOf(Throwable failure) {
        return switch (failure) {
            case NeuralCoreException exception -> exception.code();
            case ReplyException reply ->
                    switch (reply.failureType()) {
                        case NO_HANDLERS -> ErrorCode.UNKNOWN_ADDRESS;
                        case TIMEOUT -> ErrorCode.TIMEOUT;
                        case RECIPIENT_FAILURE -> ErrorCode.ofNumber(reply.failureCode());
                        case ERROR -> ErrorCode.INTERNAL;
                    };
            default -> ErrorCode.INTERNAL;
        };
    }
}
