package neuralcore.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/**
 * Reads a configuration file into what was given, with the line of each value. It works on YAML's
 * nodes, not on objects made from them, so that no value's text is changed on the way.
 */
final class YamlFile {
    private final Path file;
    private final List<String> problems;
    private final List<Given> values = new ArrayList<>();
    private final Map<String, Integer> lines = new HashMap<>();

    private YamlFile(Path file, List<String> problems) {
        this.file = file;
        this.problems = problems;
    }

    /** Reads {@code file}; what is wrong with its form is added to {@code problems}. */
    static List<Given> read(Path file, List<String> problems) {
        YamlFile reader = new YamlFile(file, problems);
        reader.read();
        return reader.values;
    }

    private void read() {
        try {
            String text = Files.readString(file);
            if (isAllComment(text)) {
                return;
            }
            LoadSettings settings =
                    LoadSettings.builder()
                            .setLabel(file.toString())
                            .setAllowDuplicateKeys(true)
                            .build();
            Optional<Node> root = new Compose(settings).composeString(text);
            root.filter(node -> !isNothing(node)).ifPresent(node -> mapping(node, ""));
        } catch (NoSuchFileException e) {
            problems.add("%s: there is no such configuration file.".formatted(file));
        } catch (IOException e) {
            problems.add("%s cannot be read: %s".formatted(file, e));
        } catch (MarkedYamlEngineException e) {
            int line = e.getProblemMark().map(mark -> mark.getLine() + 1).orElse(0);
            problems.add("%s line %d is not YAML: %s.".formatted(file, line, e.getProblem()));
        } catch (YamlEngineException e) {
            problems.add(
                    "%s is not YAML: %s".formatted(file, Shown.of(String.valueOf(e.getMessage()))));
        }
    }

    /** The file as it is shipped says nothing: no need to load a parser to learn that. */
    private static boolean isAllComment(String text) {
        for (String line : text.split("\n")) {
            String stripped = line.strip();
            if (!stripped.isEmpty() && stripped.charAt(0) != '#') {
                return false;
            }
        }
        return true;
    }

    private void mapping(Node node, String prefix) {
        if (!(node instanceof MappingNode mapping)) {
            problems.add(
                    "%s: expected keys and values%s."
                            .formatted(at(node), prefix.isEmpty() ? "" : " under " + prefix));
            return;
        }
        for (NodeTuple tuple : mapping.getValue()) {
            if (tuple.getKeyNode() instanceof ScalarNode name) {
                value(prefix + name.getValue(), tuple.getValueNode());
            } else {
                problems.add("%s: a key must be a word.".formatted(at(tuple.getKeyNode())));
            }
        }
    }

    private void value(String key, Node node) {
        boolean isSection = Settings.isSection(key);
        if (isSection && isNothing(node)) {
            return;
        }
        if (isSection || node instanceof MappingNode && !key.contains(".")) {
            mapping(node, key + ".");
            return;
        }
        Integer before = lines.putIfAbsent(key, line(node));
        if (before != null) {
            problems.add(
                    "%s: %s is there twice, first at line %d.".formatted(at(node), key, before));
            return;
        }
        switch (node) {
            case ScalarNode scalar when isNothing(scalar) ->
                    problems.add(
                            "%s (%s) has no value: give it one, or put a # before it."
                                    .formatted(key, at(node)));
            case ScalarNode scalar -> add(key, List.of(scalar.getValue()), false, node);
            case SequenceNode sequence -> {
                List<String> items = new ArrayList<>();
                for (Node item : sequence.getValue()) {
                    if (item instanceof ScalarNode scalar) {
                        items.add(scalar.getValue());
                    } else {
                        problems.add("%s: %s must be a list of words.".formatted(at(item), key));
                    }
                }
                add(key, items, true, node);
            }
            default -> problems.add("%s: %s must be one value.".formatted(at(node), key));
        }
    }

    private void add(String key, List<String> items, boolean isList, Node node) {
        Path folder = file.toAbsolutePath().getParent();
        values.add(new Given(key, items, isList, at(node), folder == null ? file : folder));
    }

    private String at(Node node) {
        return "%s line %d".formatted(file, line(node));
    }

    private static int line(Node node) {
        return node.getStartMark().map(mark -> mark.getLine() + 1).orElse(0);
    }

    private static boolean isNothing(Node node) {
        return node.getTag().equals(Tag.NULL);
    }
}
