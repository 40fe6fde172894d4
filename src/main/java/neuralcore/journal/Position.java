package neuralcore.journal;

/**
 * A place between two messages of a channel.
 *
 * @param afterSequence sequence number of the message before it, or a lesser one if there is none
 * @param afterNumber the channel's number of that message
 */
public record Position(long afterSequence, long afterNumber) {}
