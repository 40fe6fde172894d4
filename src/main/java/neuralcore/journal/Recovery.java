package neuralcore.journal;

import java.util.List;
import java.util.Map;

/**
 * What a journal held when it was opened, as far as its owner has to know it: no messages, they are
 * read by pages.
 *
 * @param lastSequence the greatest sequence number ever given to a message here, 0 if none was
 * @param publishers the greatest number of each publisher's messages
 * @param losses what was accepted as lost, now or at an earlier start, one sentence each
 */
public record Recovery(
        long lastSequence,
        List<Channel> channels,
        List<Subscription> subscriptions,
        List<Key> keys,
        Map<Long, Long> publishers,
        List<String> losses) {

    /** What a new journal holds. */
    public static final Recovery NOTHING =
            new Recovery(0, List.of(), List.of(), List.of(), Map.of(), List.of());

    /**
     * @param config as given by {@link Entry.ChannelConfigured}
     * @param lastNumber of its messages, 0 if it had none
     * @param prunedUpTo number of the last message that is gone, 0 if none is
     * @param priorities of the messages that are there, ascending
     */
    public record Channel(
            String name,
            String config,
            Retention retention,
            long lastNumber,
            long prunedUpTo,
            List<Long> priorities) {}

    /**
     * @param acks what it has settled; the owner may keep and change it
     * @param attempts of messages not settled whose delivery failed, by their number
     */
    public record Subscription(
            DurableName name, String config, AckSet acks, Map<Long, Attempts> attempts) {}

    /** See {@link Entry.Attempt}. */
    public record Attempts(int attempts, String reason) {}

    /** See {@link Entry.KeyMarked}. */
    public record Key(
            String channel, String key, boolean done, long sequence, long expiresAtMillis) {}
}
