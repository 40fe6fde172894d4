package neuralcore.wire;

import static neuralcore.wire.FrameBytes.*;
import static neuralcore.wire.FrameLayout.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Frames to bytes and back. Every length is checked against what is there before anything is
 * allocated for it; attachments are views of the frame's buffer, not copies.
 *
 * <p>Stateless and thread-safe.
 */
public final class FrameCodec {
    private FrameCodec() {}

    /**
     * The frame in this payload (the bytes after the length word).
     *
     * @throws NeuralCoreException {@link ErrorCode#MALFORMED_FRAME} or {@link
     *     ErrorCode#UNKNOWN_FRAME_TYPE}
     */
    public static Frame decode(ByteBuffer payload) {
        ByteBuffer bytes = payload.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (!bytes.hasRemaining()) {
            throw malformed("The frame is empty.");
        }
        byte kind = bytes.get(KIND);
        if (kind == JSON_OPEN) {
            return new Frame.Text(Json.readObject(bytes));
        }
        need(bytes, 0, HEADER);
        return switch (kind) {
            case CALL, ANSWER, FAILURE -> CallCodec.decode(kind, bytes);
            case PUBLISH -> MessageCodec.decodePublish(bytes);
            case PUBLISHED -> ControlCodec.decodePublished(bytes);
            case DELIVER -> MessageCodec.decodeDeliver(bytes);
            case CREDIT -> ControlCodec.decodeCredit(bytes);
            case SETTLE -> ControlCodec.decodeSettle(bytes);
            case SETTLED -> ControlCodec.decodeSettled(bytes);
            case FLOW -> ControlCodec.decodeFlow(bytes);
            default ->
                    throw new NeuralCoreException(
                            ErrorCode.UNKNOWN_FRAME_TYPE,
                            "A frame of kind 0x%02x is not known.".formatted(kind & 0xff));
        };
    }

    /** The correlation of a payload that is a call, however broken the rest of it is; else 0. */
    public static int correlationOfCall(ByteBuffer payload) {
        ByteBuffer bytes = payload.slice().order(ByteOrder.LITTLE_ENDIAN);
        boolean isCall = bytes.limit() >= HEADER && bytes.get(KIND) == CALL;
        return isCall ? bytes.getInt(CORRELATION) : 0;
    }

    /**
     * The frame with its length word, in pieces to be written one after the other. Attachments and
     * message bodies are the caller's own buffers.
     */
    public static List<ByteBuffer> encode(Frame frame) {
        return switch (frame) {
            case Frame.Text text -> withLength(List.of(ByteBuffer.wrap(Json.write(text.json()))));
            case Frame.Call call ->
                    CallCodec.encode(
                            CALL,
                            call.correlation(),
                            call.address(),
                            call.timeoutMillis(),
                            call.params(),
                            call.tensors());
            case Frame.Answer answer ->
                    CallCodec.encode(
                            ANSWER, answer.correlation(), "", 0, answer.result(), answer.tensors());
            case Frame.Failure failure ->
                    CallCodec.encode(
                            FAILURE, failure.correlation(), "", 0, failure.error(), List.of());
            case Frame.Publish publish -> MessageCodec.encodePublish(publish);
            case Frame.Published published -> ControlCodec.encodePublished(published);
            case Frame.Deliver deliver -> MessageCodec.encodeDeliver(deliver);
            case Frame.Credit credit -> ControlCodec.encodeCredit(credit);
            case Frame.Settle settle -> ControlCodec.encodeSettle(settle);
            case Frame.Settled settled -> ControlCodec.encodeSettled(settled);
            case Frame.Flow flow -> ControlCodec.encodeFlow(flow);
        };
    }

    /** {@link #encode} in one array, for tests and for the cluster's wire. */
    public static byte[] encodeToArray(Frame frame) {
        List<ByteBuffer> pieces = encode(frame);
        byte[] bytes = new byte[pieces.stream().mapToInt(ByteBuffer::remaining).sum()];
        ByteBuffer all = ByteBuffer.wrap(bytes);
        pieces.forEach(piece -> all.put(piece.duplicate()));
        return bytes;
    }
}
