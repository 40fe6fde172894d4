package neuralcore.relay.schema;

import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import neuralcore.wire.NeuralCoreException;

/**
 * Which channels have which subject.
 *
 * @param channel a name, or a pattern: {@code *} stands for one part between dots, {@code **} for
 *     any number of parts
 * @param compatibility what each version owes to the one before
 * @param on in which direction messages are checked
 * @param writes the version that outgoing messages are written with; 0 for the newest
 */
public record SchemaRule(
        String subject, String channel, Compatibility compatibility, On on, int writes) {

    /** In which direction messages are checked. */
    public enum On {
        IN,
        OUT,
        BOTH
    }

    public SchemaRule {
        if (!subject.matches("[A-Za-z0-9_-][\\w.-]{0,63}")) {
            throw NeuralCoreException.invalid(
                    "A schema's subject is '%s'; it must be 1 to 64 letters, digits, '_', '-' or '.', of which the first is no dot."
                            .formatted(subject));
        }
    }

    boolean isChecked(On direction) {
        return on == On.BOTH || on == direction;
    }

    /** As a regular expression over channels' names. */
    Pattern channels() {
        return Pattern.compile(
                Stream.of(channel.split("\\.", -1))
                        .map(
                                part ->
                                        switch (part) {
                                            case "*" -> "\\.[^.]+";
                                            case "**" -> "(?:\\.[^.]+)*";
                                            default -> "\\." + Pattern.quote(part);
                                        })
                        .collect(Collectors.joining()));
    }
}
