package neuralcore.bus;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The counts of a channel at one moment, or the sums over several.
 *
 * <p>A message makes one copy for each subscription that its channel has when it arrives. At any
 * moment between two steps
 *
 * <pre>copies = delivered − returned + dropped + expired + abandoned + queued</pre>
 *
 * where of the deliveries to subscriptions that acknowledge
 *
 * <pre>delivered − returned = acknowledged + dead + inFlight</pre>
 *
 * and on a channel that always had one subscription or none
 *
 * <pre>published = copies + unrouted + delayed</pre>
 *
 * <p>A group counts as one subscription there.
 *
 * @param published messages that arrived and were taken, whatever became of them
 * @param copies made of them
 * @param delivered copies handed to a connection, each time they were
 * @param dropped copies given up because a queue was full
 * @param expired copies whose time to live passed
 * @param abandoned copies that waited when their subscription ended
 * @param unrouted messages that met no subscription
 * @param queued copies waiting, for their turn or for another attempt
 * @param subscriptions now
 * @param acknowledged copies
 * @param returned deliveries that failed and were not the last attempt
 * @param dead copies given up after their last attempt
 * @param inFlight deliveries not settled yet
 * @param delayed messages whose time has not come
 * @param duplicates messages that had arrived before, by publisher and number or by their key
 * @param limited messages refused because they came too fast
 * @param pruned messages that have gone from the journal
 * @param prunedUnacknowledged how often one of them was not settled by a durable subscription
 */
public record ChannelStats(
        long published,
        long copies,
        long delivered,
        long dropped,
        long expired,
        long abandoned,
        long unrouted,
        long queued,
        long subscriptions,
        long acknowledged,
        long returned,
        long dead,
        long inFlight,
        long delayed,
        long duplicates,
        long limited,
        long pruned,
        long prunedUnacknowledged) {

    /** As {@code neuralcore.messaging.stats} answers it. */
    public Map<String, @Nullable Object> toMap() {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        map.put("published", published);
        map.put("copies", copies);
        map.put("delivered", delivered);
        map.put("dropped", dropped);
        map.put("expired", expired);
        map.put("abandoned", abandoned);
        map.put("unrouted", unrouted);
        map.put("queued", queued);
        map.put("subscriptions", subscriptions);
        map.put("acknowledged", acknowledged);
        map.put("returned", returned);
        map.put("dead", dead);
        map.put("in_flight", inFlight);
        map.put("delayed", delayed);
        map.put("duplicates", duplicates);
        map.put("limited", limited);
        map.put("pruned", pruned);
        map.put("pruned_unacknowledged", prunedUnacknowledged);
        return map;
    }
}
