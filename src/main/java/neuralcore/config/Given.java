package neuralcore.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.NeuralCoreException;

/**
 * A value as somebody wrote it, before it is known to be one that its key can have.
 *
 * @param key as written
 * @param items the text, or the texts of a list
 * @param isList whether it was written as a YAML list
 * @param source who wrote it, in words for people
 * @param base the folder that a relative path is meant from
 */
public record Given(String key, List<String> items, boolean isList, String source, Path base) {

    public Given {
        items = List.copyOf(items);
    }

    /** One text from the environment or the command line. */
    public static Given text(String key, String text, String source) {
        return new Given(key, List.of(text), false, source, Path.of("").toAbsolutePath());
    }

    /**
     * {@code key=value} as {@code --set} takes it.
     *
     * @throws NeuralCoreException if there is no equals sign
     */
    public static Given assignment(String assignment) {
        int equals = assignment.indexOf('=');
        if (equals <= 0) {
            throw NeuralCoreException.invalid(
                    "--set " + Shown.of(assignment) + ": write it as key=value.");
        }
        return text(
                assignment.substring(0, equals).strip(), assignment.substring(equals + 1), "--set");
    }

    /** The same value for the key that an older name stands for. */
    Given renamed(String newKey) {
        String told = "%s (as %s)".formatted(source, key);
        return new Given(newKey, items, isList, told, base);
    }

    /** The one text; a list is no text. */
    String scalar() {
        if (isList) {
            throw new IllegalArgumentException("a list");
        }
        return items.getFirst().strip();
    }

    /** The items of a list, or of a text that names them with commas, in brackets or without. */
    List<String> list() {
        if (isList) {
            return items;
        }
        String text = items.getFirst().strip();
        if (text.startsWith("[") && text.endsWith("]") && !text.startsWith("[::")) {
            text = text.substring(1, text.length() - 1);
        }
        List<String> split = new ArrayList<>();
        for (String item : text.split(",", -1)) {
            String stripped = unquoted(item.strip());
            if (!stripped.isEmpty()) {
                split.add(stripped);
            }
        }
        return split;
    }

    /** How the value looks in a message. */
    String shown() {
        return Shown.of(isList ? items.toString() : items.getFirst());
    }

    private static String unquoted(String text) {
        boolean quoted =
                text.length() >= 2
                        && (text.startsWith("\"") && text.endsWith("\"")
                                || text.startsWith("'") && text.endsWith("'"));
        return quoted ? text.substring(1, text.length() - 1) : text;
    }
}
