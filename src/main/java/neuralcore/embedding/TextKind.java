package neuralcore.embedding;

import java.util.Locale;
import neuralcore.wire.NeuralCoreException;

/** What a text is embedded for. Queries go before documents: somebody waits for them. */
public enum TextKind {
    QUERY,
    DOCUMENT;

    /** What a request calls a text that gets no prefix; it is queued with the documents. */
    static final String PLAIN = "plain";

    /** The kind of this name as it stands in a request. */
    public static TextKind of(String name) {
        if (name.equals(PLAIN)) {
            return DOCUMENT;
        }
        for (TextKind kind : values()) {
            if (kind.name().toLowerCase(Locale.ROOT).equals(name)) {
                return kind;
            }
        }
        throw NeuralCoreException.invalid(
                "'kind' is '%s'; it must be 'document', 'query' or 'plain'.".formatted(name));
    }
}
