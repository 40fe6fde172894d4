package neuralcore.embedding;

/**
 * Where a long text may be cut so that what stands before the cut gets the tokens it has in the
 * whole text.
 *
 * <p>It holds for tokenizers of BERT's kind: they split at white space, around each CJK ideograph
 * and around each punctuation mark before they look at words, and what a word becomes depends on
 * nothing outside it. A cut before such a character therefore only removes whole words. It must not
 * fall into one of the special tokens that texts may contain, {@code [MASK]}; they hold letters
 * between brackets, so no cut is made before {@code ]}, and none before a letter is made anyway.
 */
final class TextCut {
    private TextCut() {}

    /** The last place in {@code [1, limit]} that the text may be cut at, 0 if there is none. */
    static int before(String text, int limit) {
        for (int i = Math.min(limit, text.length() - 1); i > 0; i--) {
            if (startsAnew(text.charAt(i))) {
                return i;
            }
        }
        return 0;
    }

    private static boolean startsAnew(char c) {
        if (c <= ' ') {
            return c == ' ' || c == '\t' || c == '\n' || c == '\r';
        }
        if (c < 0x7F) {
            return c != ']' && !Character.isLetterOrDigit(c);
        }
        return c >= 0x4E00 && c <= 0x9FFF;
    }
}
