/**
 * Relays: what leaves the bus for a broker outside (Redis, Kafka), and what comes in from there.
 *
 * <p>This package decides and translates; it opens no connection and has no thread, clock or
 * randomness of its own. The broker's own words are spoken by the verticle of that broker.
 *
 * <p><b>Out</b> ({@link neuralcore.relay.Outbound}). A relay is a subscriber of the bus. On a
 * persistent channel it is a durable one: its place in the journal is the outbox cursor, and it is
 * moved once the broker has answered. What was sent and not answered is sent again, in the same
 * order, so that the broker has each message at least once and the first copies of all are in
 * order. From other channels a message is sent at most once; what may not have arrived is counted.
 *
 * <p><b>In</b> ({@link neuralcore.relay.Inbound}). A relay is a publisher of the bus, which numbers
 * messages by their place in the broker's log; the bus knows a publisher's numbers again, so that
 * what the broker hands over twice is taken once. The broker is told that a message is done only
 * after the bus has it: on the disk, where its channel is persistent.
 *
 * <p><b>What a broker sends is not trusted</b> ({@link neuralcore.relay.RelayCodec}): sizes are
 * checked before memory is taken, the daemon gives id and time, what the sender said of its message
 * is kept apart under {@code user}, and a list of the nodes it has passed stops circles.
 */
@NullMarked
package neuralcore.relay;

import org.jspecify.annotations.NullMarked;
