package neuralcore.embedding;

/**
 * Which texts may share a batch.
 *
 * <p>A batch is padded to its longest text and costs the tokens that it has then. So texts share
 * one only if they are of similar length, and it ends at a budget of tokens, padding included:
 * beyond a thousand or so a larger batch is not faster, only later and larger.
 *
 * @param batchTokens the budget; a longer text is a batch of its own
 */
public record BatchPlanner(int batchTokens) {
    // So much padding costs less than a run of its own.
    private static final int FREE_PADDING = 8;

    public BatchPlanner {
        if (batchTokens < 1) {
            throw new IllegalArgumentException(
                    "batchTokens is " + batchTokens + "; it must be at least 1.");
        }
    }

    /** Tokens of the shortest text that may join a batch whose longest has {@code longest}. */
    int shortest(int longest) {
        return Math.max(1, longest - Math.max(FREE_PADDING, longest / 4));
    }

    /** Texts that fit into a batch whose longest has {@code longest} tokens. */
    int places(int longest) {
        return Math.max(1, batchTokens / longest);
    }
}
