/**
 * The priority bus without its I/O: namespaces of channels, the queues of their subscriptions, and
 * who gets which message next.
 *
 * <p><b>A state machine.</b> {@link neuralcore.bus.Namespace} takes a {@link
 * neuralcore.bus.BusEvent} and tells {@link neuralcore.bus.Effects} what follows from it. It starts
 * no thread, reads no clock and draws no random number: time comes with the events, so a run can be
 * repeated to the last message, and a simulation can hold the promises below against a model. Its
 * owner calls it from one thread.
 *
 * <p><b>Order.</b> A lower priority number goes first, always; equal priorities go in the order in
 * which they arrived. All messages of a {@code Publish} are queued before any is delivered, and a
 * connection is served over all its subscriptions at once: each pick is the most urgent, then the
 * oldest message that waits in any of them for which there is credit, as long as the connection has
 * room for bytes. So what one client publishes at one priority reaches another in that order across
 * channels.
 *
 * <p><b>Queues.</b> Each subscription has a queue of its own in each of its channels, and so has
 * each group for its members together ({@link neuralcore.bus.Lane}), so one that is slow delays no
 * other. A channel's {@code max_queue_size} bounds each of them and counts the messages that wait
 * beyond the credit granted: those within the credit leave in the same step, or as soon as there is
 * room in their connection's {@link neuralcore.bus.Window}, so whether a client publishes in one
 * frame or in many changes nothing; what is leased, delayed or waits for another attempt does not
 * count. What a full queue does is the channel's {@link neuralcore.bus.DropPolicy}. A channel
 * without a subscription takes messages and forgets them.
 *
 * <p><b>Persistent channels.</b> Their messages go to the {@link neuralcore.journal} first and are
 * routed once they are kept; confirmations, acknowledgements and dead letters wait for the journal
 * too ({@code Ledger}). They are never dropped: a full one refuses. A durable group remembers what
 * it has settled ({@code Durable}), and what waits beyond a few thousand messages waits on the disk
 * ({@code Backlog}).
 *
 * <p><b>What is promised</b> of other channels. Nothing of them is stored. To a plain subscription
 * that its channel has when it arrives a message is delivered at most once; to one that
 * acknowledges, until it says so or the attempts are used up ({@link neuralcore.bus.Settlements}),
 * as long as somebody subscribes. A message that meets no subscription is discarded and counted as
 * {@code unrouted}. Every message that goes undelivered is counted in its channel ({@link
 * neuralcore.bus.ChannelStats} has the sums that hold). A publisher is told of each message of
 * which no subscription got or will get a copy because queues were full; a copy that only a lagging
 * subscription misses is counted, but not reported, for sending it again would double it elsewhere.
 * What a publisher sends again after its connection broke is recognised by its number.
 *
 * <p><b>Time to live</b> counts from the moment a message arrives here, or falls due if it was
 * delayed, so no clock but the daemon's takes part.
 */
@NullMarked
package neuralcore.bus;

import org.jspecify.annotations.NullMarked;
