package neuralcore.eventbus;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.MessageCodec;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Function;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.FrameCodec;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * Hands what travels on the event bus over by reference within the process. Between the nodes of a
 * cluster it is the protocol's own binary frame, and before it whose it is: connection and client,
 * each with its length. One that is too large is refused where it would leave.
 */
final class FramedCodec<T> implements MessageCodec<T, T> {
    private static final int LENGTH_BYTES = 4;

    /** What goes over the wire; connection and client are empty where nobody asks for them. */
    record Sent(String connection, String client, Frame frame) {}

    private final String name;
    private final int mostBytes;
    private final Function<T, Sent> toWire;
    private final Function<Sent, T> fromWire;

    private FramedCodec(
            String name, int mostBytes, Function<T, Sent> toWire, Function<Sent, T> fromWire) {
        this.name = name;
        this.mostBytes = mostBytes;
        this.toWire = toWire;
        this.fromWire = fromWire;
    }

    static FramedCodec<Request> ofRequests(int mostBytes) {
        return new FramedCodec<>(
                "neuralcore.request",
                mostBytes,
                request ->
                        new Sent(
                                request.connection(),
                                request.client(),
                                new Frame.Call(
                                        0,
                                        request.address(),
                                        0,
                                        request.params().values(),
                                        request.tensors())),
                sent -> {
                    Frame.Call call = (Frame.Call) sent.frame();
                    return new Request(
                            call.address(),
                            new Params(call.params()),
                            call.tensors(),
                            sent.connection(),
                            sent.client());
                });
    }

    static FramedCodec<Reply> ofReplies(int mostBytes) {
        return new FramedCodec<>(
                "neuralcore.reply",
                mostBytes,
                reply -> sent(new Frame.Answer(0, reply.result(), reply.tensors())),
                sent -> {
                    Frame.Answer answer = (Frame.Answer) sent.frame();
                    return new Reply(answer.result(), answer.tensors());
                });
    }

    static FramedCodec<ServiceFailure> ofFailures(int mostBytes) {
        return new FramedCodec<>(
                "neuralcore.failure",
                mostBytes,
                failure -> sent(new Frame.Failure(0, failure.exception().toObject())),
                sent -> new ServiceFailure(toException(((Frame.Failure) sent.frame()).error())));
    }

    static FramedCodec<PublishBatch> ofPublishes(int mostBytes) {
        return new FramedCodec<>(
                "neuralcore.publish",
                mostBytes,
                batch -> new Sent(batch.connection(), batch.client(), batch.publish()),
                sent ->
                        new PublishBatch(
                                sent.connection(), sent.client(), (Frame.Publish) sent.frame()));
    }

    static FramedCodec<CreditBatch> ofCredits(int mostBytes) {
        return new FramedCodec<>(
                "neuralcore.credit",
                mostBytes,
                batch -> new Sent(batch.connection(), "", batch.credit()),
                sent -> new CreditBatch(sent.connection(), (Frame.Credit) sent.frame()));
    }

    static FramedCodec<SettleBatch> ofSettles(int mostBytes) {
        return new FramedCodec<>(
                "neuralcore.settle",
                mostBytes,
                batch -> new Sent(batch.connection(), "", batch.settle()),
                sent -> new SettleBatch(sent.connection(), (Frame.Settle) sent.frame()));
    }

    static FramedCodec<RoutedFrame> ofRouted(int mostBytes) {
        return new FramedCodec<>(
                "neuralcore.routed",
                mostBytes,
                routed -> new Sent(routed.connection(), "", routed.frame()),
                sent -> new RoutedFrame(sent.connection(), sent.frame()));
    }

    static <F extends Frame> FramedCodec<F> ofFrames(Class<F> type, int mostBytes) {
        return new FramedCodec<>(
                "neuralcore.frame." + type.getSimpleName(),
                mostBytes,
                FramedCodec::sent,
                sent -> type.cast(sent.frame()));
    }

    private static Sent sent(Frame frame) {
        return new Sent("", "", frame);
    }

    private static NeuralCoreException toException(Map<String, @Nullable Object> error) {
        Params params = new Params(error);
        return new NeuralCoreException(
                ErrorCode.valueOf(params.string("code")),
                params.string("message"),
                error.get("retry_after") instanceof Number seconds ? seconds.doubleValue() : null);
    }

    @Override
    public void encodeToWire(Buffer buffer, T value) {
        Sent sent = toWire.apply(value);
        byte[] frame = FrameCodec.encodeToArray(sent.frame());
        if (frame.length > mostBytes) {
            throw new NeuralCoreException(
                    ErrorCode.FRAME_TOO_LARGE,
                    "%d bytes do not go to another node; cluster.max_frame is %d."
                            .formatted(frame.length, mostBytes));
        }
        append(buffer, sent.connection());
        append(buffer, sent.client());
        buffer.appendBytes(frame);
    }

    private static void append(Buffer buffer, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        buffer.appendInt(bytes.length).appendBytes(bytes);
    }

    @Override
    public T decodeFromWire(int position, Buffer buffer) {
        String connection = text(position, buffer);
        int next = position + LENGTH_BYTES + buffer.getInt(position);
        String client = text(next, buffer);
        next += LENGTH_BYTES + buffer.getInt(next);
        int length = buffer.getInt(next);
        if (length > mostBytes) {
            throw new NeuralCoreException(
                    ErrorCode.FRAME_TOO_LARGE,
                    "Another node has sent %d bytes; cluster.max_frame is %d."
                            .formatted(length, mostBytes));
        }
        byte[] payload = buffer.getBytes(next + LENGTH_BYTES, next + LENGTH_BYTES + length);
        return fromWire.apply(
                new Sent(connection, client, FrameCodec.decode(ByteBuffer.wrap(payload))));
    }

    private static String text(int position, Buffer buffer) {
        int from = position + LENGTH_BYTES;
        return new String(
                buffer.getBytes(from, from + buffer.getInt(position)), StandardCharsets.UTF_8);
    }

    @Override
    public T transform(T value) {
        return value;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public byte systemCodecID() {
        return -1;
    }
}
