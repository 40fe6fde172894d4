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
 * <pre>copies = delivered + dropped + expired + abandoned + queued</pre>
 *
 * and on a channel that always had one subscription or none
 *
 * <pre>published = copies + unrouted</pre>
 *
 * @param published messages that arrived, whatever became of them
 * @param copies made of them
 * @param delivered copies handed to their connection
 * @param dropped copies given up because a queue was full
 * @param expired copies whose time to live passed
 * @param abandoned copies that waited when their subscription ended
 * @param unrouted messages that met no subscription
 * @param queued copies waiting
 * @param subscriptions now
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
        long subscriptions) {

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
        return map;
    }
}
