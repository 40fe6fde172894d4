package neuralcore.bus;

import neuralcore.wire.Envelope;
import org.jspecify.annotations.Nullable;

/**
 * Whether a subscription with this subject and filter would get a message, for those who want to
 * know it beforehand. Immutable and thread-safe; for a single channel without a filter it costs a
 * comparison of names.
 */
public final class Selector {
    private final String subject;
    private final @Nullable Pattern pattern;
    private final @Nullable Filter filter;

    /**
     * @param subject a channel's name, or a pattern
     * @param filter as {@link Filter#parse} reads it; null for all
     */
    public Selector(String subject, @Nullable String filter) {
        this.subject = subject;
        this.pattern = Pattern.isPattern(subject) ? new Pattern(subject) : null;
        this.filter = filter == null ? null : Filter.parse(filter);
    }

    public boolean takes(Envelope message) {
        String channel = message.channel();
        return (pattern == null ? subject.equals(channel) : pattern.matches(channel))
                && (filter == null || filter.matches(new Subject().of(message)));
    }
}
