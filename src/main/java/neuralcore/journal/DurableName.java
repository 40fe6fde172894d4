package neuralcore.journal;

/**
 * Names a durable subscription: a group that works through a channel.
 *
 * @param channel whose messages
 * @param group who works through them
 */
public record DurableName(String channel, String group) {}
