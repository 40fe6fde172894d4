package neuralcore.wire;

import java.nio.charset.StandardCharsets;

/**
 * One message, immutable, its payload opaque to the daemon.
 *
 * <p>Payload and meta share one array so that a queued message costs two objects.
 *
 * @param channel channel name
 * @param publisher random identity of the publishing client
 * @param sequence the publisher's own number of the message; (publisher, sequence) is unique
 * @param timestampNanos when it was published, nanoseconds since 1970 by the publisher's clock
 * @param priority lower is sooner; any long, of which {@link #DEFAULT_PRIORITY} has the meaning
 *     that the channel's default applies
 * @param ttlMillis how long it may wait, in milliseconds; 0 means for ever
 * @param delayMillis how long after its arrival it may be delivered at the earliest; 0 means at
 *     once
 * @param payloadType one of the {@code ContentType} bytes of {@code docs/protocol.md}
 * @param metaType likewise, 0 where there is no meta
 * @param body payload, then meta
 * @param payloadLength how many bytes of {@code body} are payload
 */
@SuppressWarnings(
        "ArrayRecordComponent") // Compared by identity only; a wrapper would cost 16 bytes.
public record Envelope(
        String channel,
        long publisher,
        long sequence,
        long timestampNanos,
        long priority,
        int ttlMillis,
        long delayMillis,
        byte payloadType,
        byte metaType,
        byte[] body,
        int payloadLength) {

    /** As a priority: the one that the channel's configuration names. */
    public static final long DEFAULT_PRIORITY = Long.MIN_VALUE;

    public static final int ID_LENGTH = 32;

    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    public static final byte NONE = 0;
    public static final byte JSON = 1;
    public static final byte MSGPACK = 2;
    public static final byte BYTES = 3;

    public Envelope {
        if (payloadLength < 0 || payloadLength > body.length) {
            throw new NeuralCoreException(
                    ErrorCode.MALFORMED_FRAME,
                    "A payload of %d bytes does not fit a body of %d."
                            .formatted(payloadLength, body.length));
        }
        if (delayMillis < 0) {
            throw new NeuralCoreException(
                    ErrorCode.MALFORMED_FRAME,
                    "A delay is %d ms; it must not be negative.".formatted(delayMillis));
        }
    }

    /** The message's id: publisher and sequence as 32 hexadecimal digits. */
    public String id() {
        return new String(idBytes(), StandardCharsets.US_ASCII);
    }

    /** The digits of {@link #id} as ASCII. */
    public byte[] idBytes() {
        byte[] digits = new byte[ID_LENGTH];
        for (int i = 0; i < Long.BYTES * 2; i++) {
            int shift = Long.SIZE - 4 - 4 * i;
            digits[i] = HEX[(int) (publisher >>> shift) & 0xf];
            digits[Long.BYTES * 2 + i] = HEX[(int) (sequence >>> shift) & 0xf];
        }
        return digits;
    }

    /** The same message with another priority. */
    public Envelope withPriority(long other) {
        return new Envelope(
                channel,
                publisher,
                sequence,
                timestampNanos,
                other,
                ttlMillis,
                delayMillis,
                payloadType,
                metaType,
                body,
                payloadLength);
    }

    /** The same message of another publisher. */
    public Envelope withPublisher(long other) {
        return new Envelope(
                channel,
                other,
                sequence,
                timestampNanos,
                priority,
                ttlMillis,
                delayMillis,
                payloadType,
                metaType,
                body,
                payloadLength);
    }

    public int metaLength() {
        return body.length - payloadLength;
    }

    public String payloadText() {
        return new String(body, 0, payloadLength, StandardCharsets.UTF_8);
    }
}
