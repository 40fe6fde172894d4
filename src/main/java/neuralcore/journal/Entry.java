package neuralcore.journal;

import neuralcore.wire.Envelope;

/** One thing to keep. Entries that belong together are appended as one group. */
public sealed interface Entry {

    /**
     * A message; it gets the next number of its channel, which must have been {@link
     * ChannelConfigured}.
     *
     * @param sequence the namespace's number, greater than that of every message before
     * @param envelope its priority is the one that counts, never {@code DEFAULT_PRIORITY}
     * @param dueAtMillis when it may be delivered, wall clock; 0 means at once
     * @param expiresAtMillis when it is of no use any more, wall clock; 0 means never
     */
    record Message(long sequence, Envelope envelope, long dueAtMillis, long expiresAtMillis)
            implements Entry {}

    /** A message that the subscription will not be given again: acknowledged or given up. */
    record Settled(DurableName subscription, long number) implements Entry {}

    /**
     * A delivery that failed.
     *
     * @param attempts how many have, this one included
     * @param reason JSON text, empty if none was given
     */
    record Attempt(DurableName subscription, long number, int attempts, String reason)
            implements Entry {}

    /**
     * A durable subscription begins, or gets another configuration: then {@code afterNumber} is
     * ignored.
     *
     * @param afterNumber the number of the last message that it will not get
     * @param config of the owner, JSON text
     */
    record SubscriptionOpened(DurableName subscription, long afterNumber, String config)
            implements Entry {}

    /** A durable subscription is given up, with all it remembers. */
    record SubscriptionEnded(DurableName subscription) implements Entry {}

    /** A channel begins, or gets another configuration. */
    record ChannelConfigured(String channel, String config, Retention retention) implements Entry {}

    /** A channel ends with its messages, subscriptions and keys; its name may begin anew. */
    record ChannelRemoved(String channel) implements Entry {}

    /**
     * An idempotency key is in use.
     *
     * @param done whether its message has been dealt with
     * @param sequence of the message
     * @param expiresAtMillis when it is forgotten, wall clock
     */
    record KeyMarked(String channel, String key, boolean done, long sequence, long expiresAtMillis)
            implements Entry {}

    record KeyReleased(String channel, String key) implements Entry {}

    /**
     * A publisher's numbers up to this one have been taken; lesser ones than before are ignored.
     */
    record PublisherSeen(long publisher, long number) implements Entry {}

    /** The messages of a channel up to a number go, settled or not. */
    record Purged(String channel, long upToNumber) implements Entry {}
}
