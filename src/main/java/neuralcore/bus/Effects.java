package neuralcore.bus;

import neuralcore.wire.Delivery;
import neuralcore.wire.ErrorCode;

/**
 * Takes what follows from an event, in order, while the event is being handled.
 *
 * <p>A sink and not a returned list, because most steps have one delivery a message: this way each
 * costs its {@link Delivery} and nothing else.
 */
public interface Effects {

    /** The next message for a connection. Those for one connection come without another between. */
    void deliver(String connection, Delivery delivery);

    /**
     * A message that no subscription has got or will get.
     *
     * @param connection that published it; not always the one whose event is being handled, for a
     *     message accepted earlier can give way to another client's
     * @param sequence the publisher's number of the message
     */
    void rejected(String connection, long sequence, ErrorCode code);

    /** The end of a {@link BusEvent.Publish}: how many of its messages were not rejected. */
    void published(String connection, int accepted);

    /** What became of a {@link BusEvent.CreateChannel}; false where it had been created before. */
    void created(String channel, boolean created);
}
