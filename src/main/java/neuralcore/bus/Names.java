package neuralcore.bus;

import java.nio.charset.StandardCharsets;
import neuralcore.wire.NeuralCoreException;

/** What a namespace or channel may be called. */
final class Names {
    static final int MAX_BYTES = 256;

    private Names() {}

    /** Refuses an empty or over-long name, control characters, and {@code *}, kept for patterns. */
    static void check(String kind, String name) {
        checkText(kind, name);
        if (name.indexOf('*') >= 0) {
            throw NeuralCoreException.invalid(
                    "The %s name '%s' holds '*', which is kept for patterns of subscriptions."
                            .formatted(kind, name));
        }
    }

    /** As {@link #check}, but a part between dots may be {@code *} or {@code **}. */
    static void checkPattern(String pattern) {
        checkText("channel", pattern);
        for (String part : Pattern.split(pattern)) {
            if (part.indexOf('*') >= 0 && !part.equals("*") && !part.equals("**")) {
                throw NeuralCoreException.invalid(
                        "The pattern '%s' has the part '%s'; a part with a star is '*' or '**'."
                                .formatted(pattern, part));
            }
        }
    }

    private static void checkText(String kind, String name) {
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (bytes == 0 || bytes > MAX_BYTES) {
            throw NeuralCoreException.invalid(
                    "The %s name has %d bytes; it must have 1 to %d."
                            .formatted(kind, bytes, MAX_BYTES));
        }
        if (name.chars().anyMatch(Character::isISOControl)) {
            throw NeuralCoreException.invalid(
                    "The %s name holds a control character; use printable ones.".formatted(kind));
        }
    }
}
