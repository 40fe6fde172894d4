package neuralcore.bus;

/**
 * Channel names by pattern: parts between dots, {@code *} for any one part and {@code **} for any
 * number of them, none included.
 *
 * <p>Patterns are matched when a channel or a subscription comes into being, never for a message.
 */
final class Pattern {
    private final String[] parts;

    Pattern(String text) {
        Names.checkPattern(text);
        parts = split(text);
    }

    static boolean isPattern(String name) {
        return name.indexOf('*') >= 0;
    }

    /**
     * O(parts of the name · parts of the pattern): only the last {@code **} is ever tried again.
     */
    boolean matches(String name) {
        String[] given = split(name);
        int at = 0;
        int in = 0;
        int afterStars = -1;
        int triedFrom = 0;
        while (at < given.length) {
            if (in < parts.length && parts[in].equals("**")) {
                afterStars = ++in;
                triedFrom = at;
            } else if (in < parts.length && isOne(parts[in], given[at])) {
                in++;
                at++;
            } else if (afterStars >= 0) {
                in = afterStars;
                at = ++triedFrom;
            } else {
                return false;
            }
        }
        while (in < parts.length && parts[in].equals("**")) {
            in++;
        }
        return in == parts.length;
    }

    private static boolean isOne(String part, String given) {
        return part.equals(given) || part.equals("*") && !given.equals("**");
    }

    /** Cuts at each dot; an empty part is a part. */
    static String[] split(String name) {
        return name.split("\\.", -1);
    }
}
