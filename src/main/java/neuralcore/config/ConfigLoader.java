package neuralcore.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Makes the {@link RuntimeConfig} from built-in defaults, a configuration file, the environment and
 * the command line; a later one wins. A key that does not exist and a value that cannot be are
 * refused, all of them at once.
 */
public final class ConfigLoader {
    private static final String PREFIX = "NEURALCORE_";

    /** Set by or for the launcher and the Python client; no settings of the daemon. */
    private static final Set<String> RESERVED =
            Set.of(
                    "BACKEND",
                    "CLUSTER_SECRET",
                    "CONFIG",
                    "JAR",
                    "JAVA",
                    "JAVA_FOLDERS",
                    "JAVA_OPTIONS",
                    "PYTHON",
                    "REQUIRE",
                    "START_TIMEOUT",
                    "TOKEN",
                    "URL",
                    "VENV");

    private static final Set<String> RESERVED_PREFIXES = Set.of("CLIENT_", "TEST_", "BENCH_");

    private final Map<String, String> environment;
    private final Platform platform;
    private final List<String> problems = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();
    private final Map<String, Given> given = new HashMap<>();

    private ConfigLoader(Map<String, String> environment, Platform platform) {
        this.environment = environment;
        this.platform = platform;
    }

    /**
     * @param file configuration file, if there is one
     * @param environment of the process; only names with the prefix and {@code XDG_DATA_HOME} count
     * @param commandLine in order; of two for one key the later wins
     * @throws NeuralCoreException {@link ErrorCode#CONFIG_INVALID} with every problem
     */
    public static LoadedConfig load(
            @Nullable Path file,
            Map<String, String> environment,
            List<Given> commandLine,
            Platform platform) {
        ConfigLoader loader = new ConfigLoader(environment, platform);
        if (file != null) {
            loader.take(YamlFile.read(file, loader.problems));
        }
        loader.take(loader.fromEnvironment());
        loader.take(commandLine);
        Values values = loader.values();
        return new LoadedConfig(values.toConfig(), values.entries(), loader.notes);
    }

    private List<Given> fromEnvironment() {
        List<Given> found = new ArrayList<>();
        Map<String, String> keys = new HashMap<>();
        Settings.all().forEach(setting -> keys.put(setting.environmentName(), setting.key()));
        Settings.ALIASES
                .keySet()
                .forEach(alias -> keys.put(PREFIX + alias.toUpperCase(Locale.ROOT), alias));
        // Sorted: NEURALCORE_DATA_FOLDER is to win over NEURALCORE_HOME on every machine alike.
        keys.put(PREFIX + "HOME", "data.folder");
        for (var entry : new TreeMap<>(environment).descendingMap().entrySet()) {
            String name = entry.getKey();
            if (!name.startsWith(PREFIX) || isReserved(name.substring(PREFIX.length()))) {
                continue;
            }
            String key = keys.get(name);
            if (key == null) {
                problems.add(
                        "%s=%s: no such setting; the nearest is %s."
                                .formatted(
                                        Shown.of(name),
                                        Shown.of(entry.getValue()),
                                        Nearest.of(
                                                name, keys.keySet().stream().sorted().toList())));
            } else {
                found.add(Given.text(key, entry.getValue(), name));
            }
        }
        return found;
    }

    private static boolean isReserved(String name) {
        return RESERVED.contains(name) || RESERVED_PREFIXES.stream().anyMatch(name::startsWith);
    }

    /** Takes one source's values. Aliases first: a key's own name wins within a source. */
    private void take(List<Given> source) {
        for (Given value : source) {
            List<String> meant = Settings.ALIASES.get(value.key());
            if (meant != null) {
                takeAlias(value, meant);
            }
        }
        for (Given value : source) {
            if (!Settings.ALIASES.containsKey(value.key())) {
                take(value);
            }
        }
    }

    private void take(Given value) {
        if (Settings.isKey(value.key())) {
            given.put(value.key(), value);
        } else {
            problems.add(
                    "%s = %s (%s): no such setting; the nearest is %s."
                            .formatted(
                                    Shown.of(value.key()),
                                    value.shown(),
                                    value.source(),
                                    Settings.nearest(value.key())));
        }
    }

    private void takeAlias(Given value, List<String> meant) {
        Given effective = value;
        if (value.key().equals("verbose")) {
            Boolean verbose = parsed(value, ValueType.bool());
            if (verbose == null || !verbose) {
                return;
            }
            effective = Given.text(value.key(), "debug", value.source());
        }
        for (String key : meant) {
            given.put(key, effective.renamed(key));
        }
        notes.add(
                "%s (%s) is an older name; it sets %s."
                        .formatted(value.key(), value.source(), String.join(" and ", meant)));
    }

    private <T> @Nullable T parsed(Given value, ValueType<T> type) {
        try {
            return type.parser().apply(value);
        } catch (IllegalArgumentException | ArithmeticException e) {
            problems.add(
                    "%s = %s (%s): it must be %s."
                            .formatted(
                                    value.key(), value.shown(), value.source(), type.expected()));
            return null;
        }
    }

    /** Reads every setting, so that all problems are told at once. */
    private Values values() {
        Values values = new Values();
        for (Setting<?> setting : Settings.all()) {
            if (setting.key().equals(Settings.BRIDGE_SOCKET.key())
                    && !given.containsKey(setting.key())) {
                defaultSocket(values);
            } else {
                read(setting, values);
            }
        }
        if (!problems.isEmpty()) {
            throw new NeuralCoreException(
                    ErrorCode.CONFIG_INVALID,
                    problems.size() == 1
                            ? problems.getFirst()
                            : "%d settings cannot be used:\n  %s"
                                    .formatted(problems.size(), String.join("\n  ", problems)));
        }
        return values;
    }

    private <T> void read(Setting<T> setting, Values values) {
        Given value = given.get(setting.key());
        if (value == null) {
            value = Given.text(setting.key(), standard(setting, values), "default");
        }
        T parsed = parsed(value, setting.type());
        if (parsed != null) {
            values.put(setting, parsed, value.source());
        }
    }

    private String standard(Setting<?> setting, Values values) {
        return setting.standard()
                .replace(Settings.USER_DATA_MARK, platform.userData(environment).toString())
                .replace(Settings.DATA_FOLDER_MARK, dataFolder(values).toString());
    }

    /** The data folder; it is read before what lies in it. Any path will do if it was refused. */
    private static Path dataFolder(Values values) {
        return values.has(Settings.DATA_FOLDER) ? values.get(Settings.DATA_FOLDER) : Path.of("");
    }

    /**
     * A socket's path has little room (104 bytes on macOS): a deep data folder has it elsewhere.
     */
    private static void defaultSocket(Values values) {
        Path folder = dataFolder(values);
        Path socket = folder.resolve("run", "daemon.sock");
        if (ValueType.fitsSocket(socket)) {
            values.put(Settings.BRIDGE_SOCKET, socket, "default");
            return;
        }
        String name = "neuralcore-" + Platform.userId() + "-" + Platform.fingerprint(folder);
        values.put(
                Settings.BRIDGE_SOCKET,
                Path.of("/tmp", name, "daemon.sock"),
                "default, as the data folder's path is too long for a socket");
    }
}
