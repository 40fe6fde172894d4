package neuralcore.wire;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Base64;
import org.jspecify.annotations.Nullable;

/**
 * A message's payload and meta as JSON, for clients that know nothing else and for what the daemon
 * itself is asked to look for in them. Bytes become Base64 text, as do MessagePack's binary values,
 * and what is not the JSON or MessagePack that it is said to be, or exceeds the limits of {@link
 * Json}.
 */
public final class Payloads {
    private Payloads() {}

    public static @Nullable Object payload(Envelope envelope) {
        return decode(envelope.payloadType(), envelope.body(), 0, envelope.payloadLength());
    }

    public static @Nullable Object meta(Envelope envelope) {
        return decode(
                envelope.metaType(),
                envelope.body(),
                envelope.payloadLength(),
                envelope.metaLength());
    }

    private static @Nullable Object decode(byte type, byte[] bytes, int offset, int length) {
        try {
            return switch (type) {
                case Envelope.NONE -> null;
                case Envelope.JSON -> Json.read(ByteBuffer.wrap(bytes, offset, length));
                case Envelope.MSGPACK -> MessagePackReader.read(bytes, offset, length);
                default -> text(bytes, offset, length);
            };
        } catch (NeuralCoreException e) {
            // Its publisher said what it is not. One message must not hold up those behind it.
            return text(bytes, offset, length);
        }
    }

    private static String text(byte[] bytes, int offset, int length) {
        return Base64.getEncoder()
                .encodeToString(Arrays.copyOfRange(bytes, offset, offset + length));
    }
}
