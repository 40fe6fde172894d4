package neuralcore.journal;

import java.util.List;

/**
 * @param messages in the order of their sequence numbers
 * @param upToSequence there is no other message in (asked after, this]; what was asked for as the
 *     end, unless the page was full before
 */
public record Page(List<StoredMessage> messages, long upToSequence) {}
