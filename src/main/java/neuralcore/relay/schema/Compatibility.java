package neuralcore.relay.schema;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a new version of a schema owes to the one before it. */
public enum Compatibility {
    /** Nothing. */
    NONE,
    /** Who knows the new one can read what was written with the old one. */
    BACKWARD,
    /** Who knows the old one can read what is written with the new one. */
    FORWARD,
    /** Both. */
    FULL;

    /** What breaks that promise, each with the place in the schema; empty if nothing does. */
    List<String> breaks(Map<String, @Nullable Object> before, Map<String, @Nullable Object> after) {
        List<String> breaks = new ArrayList<>();
        if (this == BACKWARD || this == FULL) {
            new Containment(before, after)
                    .breaks()
                    .forEach(each -> breaks.add("what is written with the old one: " + each));
        }
        if (this == FORWARD || this == FULL) {
            new Containment(after, before)
                    .breaks()
                    .forEach(each -> breaks.add("what is written with the new one: " + each));
        }
        return breaks;
    }
}
