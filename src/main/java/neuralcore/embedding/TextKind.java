package neuralcore.embedding;

import java.util.Locale;
import neuralcore.wire.NeuralCoreException;

/** What a text is embedded for. Queries go before documents: somebody waits for them. */
public enum TextKind {
    QUERY,
    DOCUMENT;

    /** The kind of this name as it stands in a request. */
    public static TextKind of(String name) {
        for (TextKind kind : values()) {
            if (kind.name().toLowerCase(Locale.ROOT).equals(name)) {
                return kind;
            }
        }
        throw NeuralCoreException.invalid(
                "'kind' is '%s'; it must be 'document' or 'query'.".formatted(name));
    }
}
