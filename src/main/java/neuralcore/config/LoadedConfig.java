package neuralcore.config;

import java.util.List;

/**
 * The configuration, and how it came to be.
 *
 * @param config what holds
 * @param entries every key with its value and who set it
 * @param notes what the reader of the log should know, such as an old name that was used
 */
public record LoadedConfig(RuntimeConfig config, List<Entry> entries, List<String> notes) {

    /**
     * @param key name of the setting
     * @param value as one would write it
     * @param source who set it
     */
    public record Entry(String key, String value, String source) {}

    public LoadedConfig {
        entries = List.copyOf(entries);
        notes = List.copyOf(notes);
    }

    /** All entries as a table with aligned columns. */
    public String table() {
        int keys = width(entries.stream().map(Entry::key).toList(), 40);
        int values = width(entries.stream().map(Entry::value).toList(), 48);
        StringBuilder table = new StringBuilder();
        for (Entry entry : entries) {
            table.append(pad(entry.key(), keys)).append("  ");
            table.append(pad(entry.value(), values)).append("  ");
            table.append(entry.source()).append('\n');
        }
        return table.toString();
    }

    private static int width(List<String> texts, int most) {
        return Math.min(most, texts.stream().mapToInt(String::length).max().orElse(0));
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }
}
