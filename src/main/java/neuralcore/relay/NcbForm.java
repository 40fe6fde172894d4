package neuralcore.relay;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import neuralcore.wire.Envelope;
import neuralcore.wire.MessagePackWriter;
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessagePack.Code;

/**
 * Messages as MessagePack, field by field into one array of the length that it will have. What most
 * messages have in common, the keys, the channel and the meta of one that has none of its own, is
 * packed once.
 *
 * <p>Not thread-safe. Cost: one copy; of a payload or meta in another form, its decoding.
 */
final class NcbForm {
    private static final byte[] ID = {
        (byte) (Code.FIXMAP_PREFIX | 6), str(2), 'i', 'd', Code.STR8, Envelope.ID_LENGTH
    };
    private static final byte[] CHANNEL = key("channel");
    private static final byte[] TIME = key("ts");
    private static final byte[] PRIORITY = key("priority");
    private static final byte[] PAYLOAD = key("payload");
    private static final byte[] META = key("meta");

    private static final int LONGEST_NUMBER = 1 + Long.BYTES;

    private final MessageBufferPacker packer = MessagePack.newDefaultBufferPacker();
    private final byte[] metaOfNone;
    private String channel = "";
    private byte[] packedChannel = {str(0)};

    /**
     * @param meta of a message whose publisher has said nothing
     */
    NcbForm(Map<String, @Nullable Object> meta) {
        this.metaOfNone = packed(meta);
    }

    /**
     * @param meta null for that of a message whose publisher has said nothing
     */
    byte[] write(Envelope message, @Nullable Map<String, @Nullable Object> meta) {
        byte[] body = message.body();
        int length = message.payloadLength();
        int header = 0;
        switch (message.payloadType()) {
            case Envelope.MSGPACK -> {}
            case Envelope.BYTES -> header = length < 1 << 8 ? 2 : length < 1 << 16 ? 3 : 5;
            default -> {
                body = packed(Payloads.payload(message));
                length = body.length;
            }
        }
        if (!message.channel().equals(channel)) {
            channel = message.channel();
            packedChannel = packed(channel);
        }
        byte[] packedMeta = meta == null ? metaOfNone : packed(meta);
        int size =
                ID.length
                        + Envelope.ID_LENGTH
                        + CHANNEL.length
                        + packedChannel.length
                        + TIME.length
                        + LONGEST_NUMBER
                        + PRIORITY.length
                        + lengthOf(message.priority())
                        + PAYLOAD.length
                        + header
                        + length
                        + META.length
                        + packedMeta.length;
        ByteBuffer out = ByteBuffer.allocate(size);
        out.put(ID).put(message.idBytes());
        out.put(CHANNEL).put(packedChannel);
        out.put(TIME).put(Code.FLOAT64).putDouble(message.timestampNanos() / 1e9);
        out.put(PRIORITY);
        if (lengthOf(message.priority()) == 1) {
            out.put((byte) message.priority());
        } else {
            out.put(Code.INT64).putLong(message.priority());
        }
        out.put(PAYLOAD);
        switch (header) {
            case 0 -> {}
            case 2 -> out.put(Code.BIN8).put((byte) length);
            case 3 -> out.put(Code.BIN16).putShort((short) length);
            default -> out.put(Code.BIN32).putInt(length);
        }
        out.put(body, 0, length).put(META).put(packedMeta);
        return out.array();
    }

    /** A small number is its own first byte. */
    private static int lengthOf(long number) {
        return number >= -32 && number < 128 ? 1 : LONGEST_NUMBER;
    }

    private byte[] packed(@Nullable Object value) {
        packer.clear();
        try {
            MessagePackWriter.write(packer, value);
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return packer.toByteArray();
    }

    private static byte str(int length) {
        return (byte) (Code.FIXSTR_PREFIX | length);
    }

    private static byte[] key(String name) {
        return ByteBuffer.allocate(1 + name.length())
                .put(str(name.length()))
                .put(name.getBytes(StandardCharsets.US_ASCII))
                .array();
    }
}
