package neuralcore;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import neuralcore.config.Nearest;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * One command of the command line and the options it takes.
 *
 * <p>This small parser is here because the usual libraries would double the time a start takes:
 * picocli's classes are in a format that no AOT cache holds, and loading them took 70 to 200 ms.
 *
 * @param summary one line for the help
 */
record Command(String name, String summary, List<Option> options) {

    /**
     * One option.
     *
     * @param label what its value is called in the help; null for an option without value
     */
    record Option(String name, @Nullable String label, String description) {
        String shown() {
            return label == null ? name : name + " " + label;
        }
    }

    /** One call: the command, and the values given to each option, in order. */
    record Given(Command command, Map<String, List<String>> values) {
        boolean has(String option) {
            return values.containsKey(option);
        }

        /** All values of an option; empty if it was not given. */
        List<String> all(String option) {
            return values.getOrDefault(option, List.of());
        }

        /** The last value of an option, which wins over those before it. */
        @Nullable String last(String option) {
            List<String> all = all(option);
            return all.isEmpty() ? null : all.getLast();
        }
    }

    /**
     * Reads {@code --name value}, {@code --name=value} and {@code --flag}.
     *
     * @throws NeuralCoreException for an option that does not exist or lacks its value
     */
    Given parse(List<String> arguments) {
        Map<String, List<String>> values = new HashMap<>();
        for (int i = 0; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            int equals = argument.indexOf('=');
            boolean joined = argument.startsWith("--") && equals > 0;
            String name = joined ? argument.substring(0, equals) : argument;
            Option option = option(name);
            List<String> given = values.computeIfAbsent(option.name(), unused -> new ArrayList<>());
            if (option.label() == null) {
                if (joined) {
                    throw NeuralCoreException.invalid(option.name() + " takes no value.");
                }
            } else if (joined) {
                given.add(argument.substring(equals + 1));
            } else if (i + 1 < arguments.size()) {
                given.add(arguments.get(++i));
            } else {
                throw NeuralCoreException.invalid(
                        option.name() + " needs a value: " + option.shown());
            }
        }
        return new Given(this, values);
    }

    private Option option(String name) {
        for (Option option : options) {
            if (option.name().equals(name)) {
                return option;
            }
        }
        throw NeuralCoreException.invalid(
                "'neuralcore %s' has no option %s; the nearest is %s."
                        .formatted(
                                this.name,
                                name,
                                Nearest.of(name, options.stream().map(Option::name).toList())));
    }

    String help() {
        StringBuilder help = new StringBuilder();
        help.append("Usage: neuralcore ").append(name).append(" [options]\n\n");
        help.append(summary).append('\n');
        int width = options.stream().mapToInt(option -> option.shown().length()).max().orElse(0);
        for (Option option : options) {
            String shown = option.shown();
            help.append("\n  ").append(shown).append(" ".repeat(width - shown.length() + 2));
            help.append(option.description());
        }
        return help.append('\n').toString();
    }
}
