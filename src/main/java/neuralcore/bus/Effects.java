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

    /** A message of the {@link BusEvent.Publish} in hand that no subscription will get. */
    void rejected(long sequence, ErrorCode code);

    /**
     * A message accepted earlier that no subscription has got or will get: it gave way to a more
     * urgent or a newer one, or has waited too long for room.
     *
     * @param connection that published it, perhaps not the one that publishes now
     * @param sequence the publisher's number of the message
     */
    void evicted(String connection, long sequence);

    /**
     * How much fits into a channel to which a connection has published: 0 when a message of it
     * found no room, and more when there is room again.
     */
    void room(String connection, String namespace, String channel, int messages);

    /** What became of a {@link BusEvent.Settle}; if it is told in parts, their sums count. */
    void settled(int settled, int unknown);

    /** The end of a {@link BusEvent.Publish}: how many of its messages were not rejected. */
    void published(int accepted);

    /**
     * What this step answers holds for good once {@link #kept} tells of this place in the
     * namespace's journal. If a step tells of several, once it does of all.
     */
    void stored(String namespace, long position);

    /** All places up to this are kept, but for those that {@link #notKept} told of. */
    void kept(String namespace, long position);

    /** What was to be kept there is not, and has not happened. */
    void notKept(String namespace, long position, ErrorCode code);

    /** A message that was taken earlier could not be kept after all. */
    void refused(String connection, long sequence, ErrorCode code);

    /** A namespace keeps nothing any more. */
    void failed(String namespace, ErrorCode code, String message);

    /** What became of a {@link BusEvent.CreateChannel}; false where it had been created before. */
    void created(boolean created);
}
