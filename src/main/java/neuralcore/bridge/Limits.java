package neuralcore.bridge;

import java.time.Duration;
import neuralcore.config.RuntimeConfig;

/**
 * What one connection may use.
 *
 * @param textFrame largest JSON frame in bytes
 * @param binaryFrame largest binary frame in bytes
 * @param subscriptions registrations and subscriptions held
 * @param pendingCalls calls unanswered
 * @param outboundBytes bytes waiting for the reader before it counts as slow; twice as many close
 *     the connection at once
 * @param slowReaderGrace how long a reader may stay slow
 * @param idle how long a connection may be silent
 * @param handshake how long it may take to authenticate
 * @param bytesPerSecond what is read of it in the long run; 0 for no bound
 * @param messagesPerSecond the same in frames, each message of a batch counted; 0 for no bound
 */
public record Limits(
        int textFrame,
        int binaryFrame,
        int subscriptions,
        int pendingCalls,
        int outboundBytes,
        Duration slowReaderGrace,
        Duration idle,
        Duration handshake,
        long bytesPerSecond,
        long messagesPerSecond) {

    /** Longest address, channel name or namespace, in bytes of UTF-8. */
    public static final int NAME_BYTES = 256;

    /**
     * Bytes of messages that may be under way to the reader: so few that even those whose JSON is
     * six times as long as they are, for it escapes each of their bytes, make nobody a slow reader.
     */
    int deliveryWindow() {
        return outboundBytes / 8;
    }

    public static Limits of(RuntimeConfig.Bridge config) {
        return new Limits(
                config.maxTextFrame(),
                config.maxBinaryFrame(),
                config.maxSubscriptions(),
                config.maxPendingCalls(),
                config.outboundBytes(),
                config.slowReaderGrace(),
                config.idle(),
                config.handshake(),
                config.bytesPerSecond(),
                config.messagesPerSecond());
    }
}
