package neuralcore.bus;

import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;

/**
 * Code that sees messages on their way through the daemon. An implementation has a public
 * constructor without parameters, is on the daemon's class path, and is named in {@code
 * bus.interceptors}; several are called in the order in which they are named. All calls come from
 * the bus's one thread: what takes long holds up everybody.
 */
public interface Interceptor {

    /**
     * A client publishes a message. What is returned is taken in its place; its channel, publisher
     * and sequence must be the same.
     *
     * @throws neuralcore.wire.NeuralCoreException to refuse the message; the publisher is told the
     *     code
     */
    default Envelope beforePublish(Principal principal, String namespace, Envelope message) {
        return message;
    }

    /** A message was taken. */
    default void afterPublish(Principal principal, String namespace, Envelope message) {}

    /** A message is on its way to a client; what is returned is sent in its place. */
    default Envelope beforeDelivery(String connection, Delivery delivery) {
        return delivery.envelope();
    }
}
