package neuralcore.wire;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything that travels over a connection. {@link Text} is a frame of the Vert.x event-bus bridge
 * protocol; the others are the binary frames that {@code docs/protocol.md} adds to it.
 */
public sealed interface Frame {

    /** A JSON frame: {@code {"type": "send", "address": …}}. */
    record Text(Map<String, @Nullable Object> json) implements Frame {}

    /**
     * A call of a service.
     *
     * @param correlation chosen by the caller, repeated in the answer
     * @param timeoutMillis how long the caller waits; 0 leaves it to the service
     */
    record Call(
            int correlation,
            String address,
            int timeoutMillis,
            Map<String, @Nullable Object> params,
            List<Tensor> tensors)
            implements Frame {}

    /** The answer to a {@link Call}. */
    record Answer(int correlation, Map<String, @Nullable Object> result, List<Tensor> tensors)
            implements Frame {}

    /**
     * A failed call, or with correlation 0 a failure of the connection itself.
     *
     * @param error {@code code}, {@code message}, and what else the code defines
     */
    record Failure(int correlation, Map<String, @Nullable Object> error) implements Frame {}

    /**
     * Messages of one client for one namespace, all to be queued before any is delivered.
     *
     * @param batch chosen by the client, repeated in {@link Published}
     */
    record Publish(int batch, Confirm confirm, String namespace, List<Envelope> messages)
            implements Frame {}

    /** When {@link Published} is wanted even if nothing was rejected. */
    enum Confirm {
        /** Only rejections are told. */
        NONE,
        /** Once all are queued. */
        ACCEPTED,
        /** Once those for persistent channels are committed to the disk. */
        DURABLE,
        /** Once the brokers of all relays that take them out of their channels have them. */
        RELAYED
    }

    /** What became of a {@link Publish}: how many were accepted, and which were not. */
    record Published(int batch, int accepted, List<Rejection> rejections) implements Frame {}

    /** A message that was not queued, by the publisher's sequence number, and why. */
    record Rejection(long sequence, ErrorCode code) {}

    /** Messages for subscriptions of this connection, most urgent first. */
    record Deliver(List<Delivery> deliveries) implements Frame {}

    /** Leave to deliver {@code messages} more to a subscription. */
    record Credit(List<Grant> grants) implements Frame {}

    /**
     * @param subscription the one that may have more; {@link #CONNECTION} for all of them together
     * @param messages how many; bytes that have been flushed, where it is to the connection
     */
    record Grant(int subscription, int messages) {
        /** Only the bridge grants to a whole connection; no subscription has this number. */
        public static final int CONNECTION = -1;
    }

    /**
     * What a client made of deliveries of its acknowledged subscriptions.
     *
     * @param confirm whether {@link Settled} is wanted
     */
    record Settle(int correlation, boolean confirm, List<Settlement> settlements)
            implements Frame {}

    /**
     * The answer to a {@link Settle}; for durable subscriptions it comes after the commit.
     *
     * @param unknown how many had been settled before, or had lost their lease
     */
    record Settled(int correlation, int settled, int unknown) implements Frame {}

    /** How much fits into channels to which this connection has published. */
    record Flow(String namespace, List<Room> rooms) implements Frame {}

    /**
     * @param messages 0 where the channel is full, else how many it takes before it is full again
     */
    record Room(String channel, int messages) {}
}
