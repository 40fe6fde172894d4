package neuralcore.bridge;

import io.vertx.core.Vertx;
import io.vertx.core.eventbus.MessageConsumer;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.FrameCodec;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client's connection: who it is, what it may still use, and where its frames go.
 *
 * <p>Lives on its connection's event loop; nothing here is thread-safe. Whatever a client sends is
 * answered by a result, by an error frame, or by an error frame and a close; never by silence.
 */
public final class Session {
    private static final Logger log = LoggerFactory.getLogger(Session.class);
    private static final int PROTOCOL = 1;
    private static final Pattern CLIENT_ID = Pattern.compile("[\\w-]{16,64}");

    private final Vertx vertx;
    private final String id;
    private final Transport transport;
    private final Limits limits;
    private final Token token;
    private final Greeting greeting;
    private final Runnable throttled;
    private final TextFrames text;
    private final BinaryFrames binary;
    private final Deliveries deliveries;
    private final MessageConsumer<Frame> inbox;
    private final long openedNanos = System.nanoTime();
    private final TokenBucket bytes;
    private final TokenBucket messages;

    private String client;
    private boolean authenticated;
    private boolean speaksBinary;
    private boolean closing;
    private boolean closed;
    private long lastFrameNanos = openedNanos;
    private boolean readingPaused;
    private long messagesArrived;
    private long waitingBytes;
    private long slowSinceNanos;
    private int pendingCalls;
    private int subscriptions;

    /**
     * @param id unique among all connections of the cluster
     * @param authenticated whether the transport has already told who the client is
     * @param throttled run each time that reading is paused
     */
    public Session(
            Vertx vertx,
            String id,
            Transport transport,
            boolean authenticated,
            Limits limits,
            AddressRules rules,
            Token token,
            Greeting greeting,
            Runnable throttled) {
        this.vertx = vertx;
        this.id = id;
        this.client = id;
        this.transport = transport;
        this.authenticated = authenticated;
        this.limits = limits;
        this.token = token;
        this.greeting = greeting;
        this.throttled = throttled;
        this.bytes = new TokenBucket(limits.bytesPerSecond(), openedNanos);
        this.messages = new TokenBucket(limits.messagesPerSecond(), openedNanos);
        this.deliveries = new Deliveries(this);
        this.text = new TextFrames(this, rules, deliveries);
        this.binary = new BinaryFrames(this, rules, deliveries);
        this.inbox =
                vertx.eventBus()
                        .localConsumer(
                                Addresses.deliveries(id), message -> fromBus(message.body()));
    }

    /** Takes in a frame's payload. */
    public void receive(ByteBuffer payload) {
        lastFrameNanos = System.nanoTime();
        try {
            receive(FrameCodec.decode(payload));
        } catch (NeuralCoreException e) {
            int correlation = FrameCodec.correlationOfCall(payload);
            if (correlation != 0 && authenticated) {
                write(new Frame.Failure(correlation, e.toObject()));
            } else {
                fail(e);
            }
        } catch (RuntimeException e) {
            log.error("connection {}: a frame could not be handled", id, e);
            fail(new NeuralCoreException(ErrorCode.INTERNAL, "The frame failed: " + e));
        }
    }

    /**
     * Counts bytes that were read, after the frames in them have been received. Nothing more is
     * read while they are more than the connection may send; whoever sends on waits in the network.
     */
    public void arrived(int count) {
        long now = System.nanoTime();
        long wait = Math.max(bytes.take(count, now), messages.take(messagesArrived, now));
        messagesArrived = 0;
        if (wait == 0 || readingPaused || closed) {
            return;
        }
        readingPaused = true;
        throttled.run();
        transport.pauseReading();
        vertx.setTimer(Math.max(1, wait / 1_000_000), timer -> readOn());
    }

    private void readOn() {
        readingPaused = false;
        lastFrameNanos = System.nanoTime(); // The silence was ours.
        if (!closed) {
            transport.resumeReading();
        }
    }

    private void receive(Frame frame) {
        messagesArrived += frame instanceof Frame.Publish publish ? publish.messages().size() : 1;
        if (closing || closed) {
            return;
        }
        if (frame instanceof Frame.Text json && "auth".equals(json.json().get("type"))) {
            authenticate(json.json());
            return;
        }
        // Some clients ping as soon as they are connected, before they can show anything.
        if (!authenticated && !showsToken(frame) && !isPing(frame)) {
            refuse(
                    new NeuralCoreException(
                            ErrorCode.UNAUTHENTICATED,
                            "The first frame must be an auth frame, or carry the token in its"
                                    + " headers."));
            return;
        }
        switch (frame) {
            case Frame.Text json -> text.receive(json.json());
            case Frame.Call call -> {
                speaksBinary = true;
                binary.call(call);
            }
            case Frame.Publish publish -> {
                speaksBinary = true;
                binary.publish(publish);
            }
            case Frame.Credit credit -> {
                speaksBinary = true;
                deliveries.credit(credit);
            }
            case Frame.Settle settle -> {
                speaksBinary = true;
                binary.settle(settle);
            }
            case Frame.Answer _,
                    Frame.Failure _,
                    Frame.Published _,
                    Frame.Deliver _,
                    Frame.Settled _,
                    Frame.Flow _ ->
                    throw new NeuralCoreException(
                            ErrorCode.UNKNOWN_FRAME_TYPE,
                            "A client does not send a %s frame."
                                    .formatted(
                                            frame.getClass()
                                                    .getSimpleName()
                                                    .toLowerCase(Locale.ROOT)));
        }
    }

    /** Messages for this client, or word of those it published: evicted later, or room for more. */
    private void fromBus(Frame frame) {
        if (frame instanceof Frame.Deliver deliver) {
            deliveries.deliver(deliver);
        } else if (speaksBinary) {
            write(frame);
        }
    }

    private void authenticate(Map<String, @Nullable Object> json) {
        boolean offers = json.get("token") instanceof String;
        if (offers ? !token.matches((String) json.get("token")) : !authenticated) {
            refuse(new NeuralCoreException(ErrorCode.UNAUTHENTICATED, "The token is wrong."));
            return;
        }
        if (json.get("protocol") instanceof Number protocol && protocol.intValue() != PROTOCOL) {
            refuse(
                    new NeuralCoreException(
                            ErrorCode.VERSION_MISMATCH,
                            ("The client speaks protocol %d, this daemon (%s) speaks %d;"
                                            + " bring both to one version.")
                                    .formatted(protocol.intValue(), greeting.version(), PROTOCOL)));
            return;
        }
        if (json.get("client_id") instanceof String named) {
            if (!CLIENT_ID.matcher(named).matches()) {
                refuse(
                        NeuralCoreException.invalid(
                                "A 'client_id' has 16 to 64 letters, digits, '-' or '_'."));
                return;
            }
            client = named;
        }
        authenticated = true;
        Map<String, @Nullable Object> answer = new LinkedHashMap<>();
        answer.put("type", "auth");
        answer.put("ok", true);
        answer.put("version", greeting.version());
        answer.put("protocol", PROTOCOL);
        answer.put("connection", id);
        answer.put(
                "limits",
                Map.of(
                        "text_frame", limits.textFrame(),
                        "binary_frame", limits.binaryFrame(),
                        "subscriptions", limits.subscriptions(),
                        "calls", limits.pendingCalls()));
        answer.put("features", greeting.features());
        write(new Frame.Text(answer));
    }

    private static boolean isPing(Frame frame) {
        return frame instanceof Frame.Text json && "ping".equals(json.json().get("type"));
    }

    private boolean showsToken(Frame frame) {
        authenticated =
                frame instanceof Frame.Text json
                        && json.json().get("headers") instanceof Map<?, ?> headers
                        && headers.get("token") instanceof String offered
                        && token.matches(offered);
        return authenticated;
    }

    /** Closes the connection if it has broken a limit of time. Called about once a second. */
    public void enforceDeadlines() {
        long now = System.nanoTime();
        text.expireReplies(now);
        if (!authenticated && passed(openedNanos, limits.handshake(), now)) {
            refuse(
                    new NeuralCoreException(
                            ErrorCode.UNAUTHENTICATED,
                            "No token came within %d ms."
                                    .formatted(limits.handshake().toMillis())));
        } else if (waitingBytes > limits.outboundBytes()
                && passed(slowSinceNanos, limits.slowReaderGrace(), now)) {
            closeSlow();
        } else if (!readingPaused && passed(lastFrameNanos, limits.idle(), now)) {
            log.debug("connection {} was silent for {}", id, limits.idle());
            transport.close();
        }
    }

    /** Ends the session after its connection has gone. */
    public void closed() {
        if (closed) {
            return;
        }
        closed = true;
        inbox.unregister();
        text.close();
        vertx.eventBus().publish(Addresses.CONNECTION_CLOSED, id);
    }

    /** Tells the client why, and closes. */
    public void refuse(NeuralCoreException reason) {
        fail(reason);
        closing = true;
        transport.close();
    }

    /**
     * The node that had the bus is gone, and its subscriptions with it: a client that has any must
     * come again, so that it gets what it missed.
     */
    void busGone(String why) {
        if (subscriptions > 0) {
            refuse(new NeuralCoreException(ErrorCode.CONNECTION_LOST, why + " Connect again."));
        }
    }

    // For the frames' handlers

    Vertx vertx() {
        return vertx;
    }

    String id() {
        return id;
    }

    /** Who the client says it is, over all its connections; the connection's id if it does not. */
    String client() {
        return client;
    }

    Transport.Dialect dialect() {
        return transport.dialect();
    }

    Limits limits() {
        return limits;
    }

    boolean isClosed() {
        return closed;
    }

    void write(Frame frame) {
        write(frame, () -> {});
    }

    /** Writes a frame and runs {@code flushed} once the network has taken it. */
    void write(Frame frame, Runnable flushed) {
        if (closing || closed) {
            return;
        }
        Transport.Written written = transport.write(frame);
        if (waitingBytes <= limits.outboundBytes()) {
            slowSinceNanos = System.nanoTime();
        }
        waitingBytes += written.bytes();
        written.flushed()
                .onComplete(
                        done -> {
                            waitingBytes -= written.bytes();
                            if (done.succeeded()) {
                                flushed.run();
                            }
                        });
        if (waitingBytes > 2L * Math.max(limits.outboundBytes(), limits.binaryFrame())) {
            closeSlow();
        }
    }

    /** Reports a failure that belongs to no call. */
    void fail(NeuralCoreException exception) {
        if (speaksBinary) {
            write(new Frame.Failure(0, exception.toObject()));
        } else {
            write(new Frame.Text(TextErrors.frame(exception)));
        }
    }

    /** Takes one of the calls a connection may have unanswered; {@link #callDone} gives it back. */
    void callBegins() {
        if (pendingCalls >= limits.pendingCalls()) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "%d calls of this connection are unanswered; wait for one."
                            .formatted(pendingCalls));
        }
        pendingCalls++;
    }

    void callDone() {
        pendingCalls--;
    }

    /** Takes one of the registrations and subscriptions a connection may hold. */
    void subscriptionBegins() {
        if (subscriptions >= limits.subscriptions()) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "This connection holds %d subscriptions, the most it may."
                            .formatted(subscriptions));
        }
        subscriptions++;
    }

    void subscriptionEnded() {
        subscriptions--;
    }

    private void closeSlow() {
        if (closing) {
            return;
        }
        closing = true;
        log.warn("connection {} reads too slowly: {} bytes wait; closed", id, waitingBytes);
        transport.close();
    }

    private static boolean passed(long sinceNanos, Duration limit, long now) {
        return !limit.isZero() && now - sinceNanos > limit.toNanos();
    }
}
