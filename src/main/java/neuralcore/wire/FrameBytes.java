package neuralcore.wire;

import static neuralcore.wire.FrameLayout.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Reading and writing the parts of a binary frame, each checked against what is there. */
final class FrameBytes {

    private FrameBytes() {}

    static ByteBuffer header(byte kind, int flags, int correlation, int length) {
        ByteBuffer head = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        head.put(KIND, kind).put(FLAGS, (byte) flags).putInt(CORRELATION, correlation);
        return head;
    }

    static List<ByteBuffer> withLength(List<ByteBuffer> payload) {
        int length = 0;
        for (ByteBuffer piece : payload) {
            length = Math.addExact(length, piece.remaining());
        }
        List<ByteBuffer> frame = new ArrayList<>(1 + payload.size());
        frame.add(ByteBuffer.allocate(4).putInt(0, length));
        frame.addAll(payload);
        return frame;
    }

    static byte[] body(ByteBuffer bytes, int at, int payload, int meta) {
        need(bytes, at, (long) payload + meta);
        byte[] body = new byte[payload + meta];
        bytes.get(at, body);
        return body;
    }

    static String text(ByteBuffer bytes, int at, int length) {
        need(bytes, at, length);
        return StandardCharsets.UTF_8.decode(bytes.slice(at, length)).toString();
    }

    static int u16(ByteBuffer bytes, int at) {
        return bytes.getShort(at) & 0xffff;
    }

    /** A u32 that must fit an int, as every length and count here does. */
    static int u31(ByteBuffer bytes, int at) {
        int value = bytes.getInt(at);
        if (value < 0) {
            throw malformed(
                    "A number at offset %d is %d; at most 2³¹ − 1 is allowed."
                            .formatted(at, Integer.toUnsignedLong(value)));
        }
        return value;
    }

    static short checkedU16(int value, String what) {
        if (value > 0xffff) {
            throw malformed("The " + what + " has a length of " + value + ", at most 65,535.");
        }
        return (short) value;
    }

    static void need(ByteBuffer bytes, int at, long length) {
        if (at < 0 || at + length > bytes.limit()) {
            throw malformed(
                    "The frame ends at byte %d; bytes %d to %d are needed."
                            .formatted(bytes.limit(), at, at + length));
        }
    }

    static void end(ByteBuffer bytes, int at) {
        if (at != bytes.limit()) {
            throw malformed((bytes.limit() - at) + " bytes follow the frame's content.");
        }
    }

    static NeuralCoreException malformed(String message) {
        return new NeuralCoreException(ErrorCode.MALFORMED_FRAME, message);
    }
}
