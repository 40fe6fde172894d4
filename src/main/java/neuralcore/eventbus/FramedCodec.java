package neuralcore.eventbus;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.MessageCodec;
import java.nio.ByteBuffer;
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
 * Hands requests and replies over by reference within the process, and as the protocol's own binary
 * frames between the nodes of a cluster.
 */
final class FramedCodec<T> implements MessageCodec<T, T> {
    private final String name;
    private final Function<T, Frame> toFrame;
    private final Function<Frame, T> fromFrame;

    private FramedCodec(String name, Function<T, Frame> toFrame, Function<Frame, T> fromFrame) {
        this.name = name;
        this.toFrame = toFrame;
        this.fromFrame = fromFrame;
    }

    static FramedCodec<Request> ofRequests() {
        return new FramedCodec<>(
                "neuralcore.request",
                request ->
                        new Frame.Call(
                                0,
                                request.address(),
                                0,
                                request.params().values(),
                                request.tensors()),
                frame -> {
                    Frame.Call call = (Frame.Call) frame;
                    return new Request(call.address(), new Params(call.params()), call.tensors());
                });
    }

    static FramedCodec<Reply> ofReplies() {
        return new FramedCodec<>(
                "neuralcore.reply",
                reply -> new Frame.Answer(0, reply.result(), reply.tensors()),
                frame -> {
                    Frame.Answer answer = (Frame.Answer) frame;
                    return new Reply(answer.result(), answer.tensors());
                });
    }

    static FramedCodec<ServiceFailure> ofFailures() {
        return new FramedCodec<>(
                "neuralcore.failure",
                failure -> new Frame.Failure(0, failure.exception().toObject()),
                frame -> new ServiceFailure(toException(((Frame.Failure) frame).error())));
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
        buffer.appendBytes(FrameCodec.encodeToArray(toFrame.apply(value)));
    }

    @Override
    public T decodeFromWire(int position, Buffer buffer) {
        int length = buffer.getInt(position);
        byte[] payload = buffer.getBytes(position + 4, position + 4 + length);
        return fromFrame.apply(FrameCodec.decode(ByteBuffer.wrap(payload)));
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
