package neuralcore.relay;

import java.time.Instant;
import java.time.format.DateTimeParseException;
import neuralcore.wire.NeuralCoreException;

/** Where a group that is new to a topic begins to read. */
public sealed interface StartAt {
    /** With the oldest message that is there. */
    record Earliest() implements StartAt {}

    /** With what comes from now on. */
    record Latest() implements StartAt {}

    /** With this offset in each partition. */
    record Offset(long offset) implements StartAt {}

    /** With the first message that is not older. */
    record Time(long epochMillis) implements StartAt {}

    static StartAt of(String text) {
        if (text.equals("earliest")) {
            return new Earliest();
        }
        if (text.equals("latest")) {
            return new Latest();
        }
        try {
            return text.matches("\\d{1,18}")
                    ? new Offset(Long.parseLong(text))
                    : new Time(Instant.parse(text).toEpochMilli());
        } catch (DateTimeParseException e) {
            throw NeuralCoreException.invalid(
                    "A route has 'replay_start' '%s'; it must be 'earliest', 'latest', an offset, or a time such as 2026-01-31T12:00:00Z."
                            .formatted(text));
        }
    }

    /** As users write it. */
    default String word() {
        return switch (this) {
            case Earliest _ -> "earliest";
            case Latest _ -> "latest";
            case Offset at -> Long.toString(at.offset());
            case Time at -> Instant.ofEpochMilli(at.epochMillis()).toString();
        };
    }
}
