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

    /** Tokens of the shortest text that may join a batch begun with one of {@code first}. */
    int shortest(int first) {
        return Math.max(1, first - tolerance(first));
    }

    /** Tokens of the longest text that may join a batch begun with one of {@code first}. */
    int longest(int first) {
        return first + tolerance(first);
    }

    /** Whether a batch may have so many texts, padded to so many tokens. */
    boolean fits(int texts, int width) {
        return texts <= 1 || (long) texts * width <= batchTokens;
    }

    private static int tolerance(int length) {
        return Math.max(FREE_PADDING, length / 4);
    }
}
