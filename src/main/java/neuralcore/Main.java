package neuralcore;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import neuralcore.config.ConfigFile;
import neuralcore.config.ConfigLoader;
import neuralcore.config.Given;
import neuralcore.config.LoadedConfig;
import neuralcore.config.Nearest;
import neuralcore.config.Platform;
import neuralcore.ops.CertificateCommand;
import neuralcore.ops.Doctor;
import neuralcore.ops.ExitCode;
import neuralcore.ops.Service;
import neuralcore.ops.Version;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/** Entry point: {@code serve}, {@code doctor}, {@code cluster certificates}, {@code version}. */
public final class Main {
    /** Options that are short for a key of the configuration. */
    private static final Map<String, String> SHORTCUTS =
            Map.of(
                    "--port", "bridge.port",
                    "--http-port", "web.port",
                    "--data", "data.folder",
                    "--roles", "roles",
                    "--log-level", "log.level",
                    "--idle-exit", "lifecycle.idle_exit");

    private final PrintWriter out;
    private final PrintWriter err;
    private final Map<String, String> environment;

    Main(PrintWriter out, PrintWriter err, Map<String, String> environment) {
        this.out = out;
        this.err = err;
        this.environment = environment;
    }

    public static void main(String[] arguments) {
        Main main =
                new Main(writer(FileDescriptor.out), writer(FileDescriptor.err), System.getenv());
        System.exit(main.run(arguments).number());
    }

    ExitCode run(String... arguments) {
        try {
            return dispatch(List.of(arguments));
        } catch (NeuralCoreException e) {
            err.println("neuralcore: " + e.getMessage());
            return ExitCode.of(e.code());
        } finally {
            out.flush();
            err.flush();
        }
    }

    private ExitCode dispatch(List<String> arguments) {
        if (arguments.isEmpty()) {
            err.print(Commands.help());
            return ExitCode.USAGE;
        }
        String name = arguments.getFirst();
        List<String> rest = arguments.subList(1, arguments.size());
        return switch (name) {
            // One lambda for both, so that the training meets what a start needs.
            case "serve", "train" ->
                    run(name.equals("train") ? Commands.TRAIN : Commands.SERVE, rest, this::serve);
            case "doctor" -> run(Commands.DOCTOR, rest, this::doctor);
            case "cluster" -> cluster(rest);
            case "version", "--version" -> run(Commands.VERSION, rest, this::version);
            case "help", "--help", "-h" -> {
                out.print(Commands.help());
                yield ExitCode.OK;
            }
            default ->
                    throw NeuralCoreException.invalid(
                            "there is no command '%s'; the nearest is %s."
                                    .formatted(
                                            name,
                                            Nearest.of(
                                                    name,
                                                    Commands.SHOWN.stream()
                                                            .map(Command::name)
                                                            .toList())));
        };
    }

    private ExitCode run(
            Command command, List<String> rest, Function<Command.Given, ExitCode> action) {
        if (rest.contains("--help") || rest.contains("-h")) {
            out.print(command.help());
            return ExitCode.OK;
        }
        return action.apply(command.parse(rest));
    }

    private ExitCode serve(Command.Given command) {
        if (command.has("--print-config")) {
            out.print(load(command, List.of()).table());
            return ExitCode.OK;
        }
        if (command.command() == Commands.TRAIN) {
            return train(command);
        }
        Service service = Service.prepare();
        LoadedConfig loaded = load(command, List.of());
        String readyFile = command.last("--ready-file");
        return service.run(loaded, readyFile == null ? null : Path.of(readyFile), false);
    }

    private ExitCode doctor(Command.Given command) {
        Doctor doctor = new Doctor(load(command, List.of()), configFile(command));
        return doctor.run(out) ? ExitCode.OK : ExitCode.UNAVAILABLE;
    }

    /** Runs on a folder of its own, which is gone afterwards. */
    private ExitCode train(Command.Given command) {
        try {
            Path folder = Files.createTempDirectory("neuralcore-train");
            try {
                Given data = Given.text("data.folder", folder.toString(), "train");
                Service service = Service.prepare();
                LoadedConfig loaded = load(command, List.of(data));
                ExitCode code = service.run(loaded, null, true);
                String prepared = command.last("--prepare");
                if (prepared != null) {
                    Files.move(loaded.config().data().cache(), Path.of(prepared));
                }
                return code;
            } finally {
                deleteTree(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("training needs a temporary folder", e);
        }
    }

    private ExitCode cluster(List<String> rest) {
        if (rest.isEmpty() || !rest.getFirst().equals("certificates")) {
            throw NeuralCoreException.invalid("'neuralcore cluster' knows 'certificates' alone.");
        }
        return run(Commands.CERTIFICATES, rest.subList(1, rest.size()), this::certificates);
    }

    private ExitCode certificates(Command.Given command) {
        String folder = command.last("--out");
        if (folder == null || !command.has("--node")) {
            throw NeuralCoreException.invalid(
                    "'neuralcore cluster certificates' needs --out FOLDER and a --node for each"
                            + " node.");
        }
        CertificateCommand.run(Path.of(folder), command.all("--node"), out);
        return ExitCode.OK;
    }

    private ExitCode version(Command.Given command) {
        out.printf(
                "neuralcore %s, protocol %d, Java %s%n",
                Version.NUMBER, Version.PROTOCOL, Runtime.version());
        return ExitCode.OK;
    }

    private LoadedConfig load(Command.Given command, List<Given> last) {
        List<Given> given = new ArrayList<>();
        String join = command.last("--join");
        if (join != null) {
            given.add(Given.text("cluster.enabled", "true", "--join"));
            given.add(Given.text("cluster.join", join, "--join"));
            given.add(Given.text("cluster.port", "0", "--join"));
        }
        for (String assignment : command.all("--set")) {
            given.add(Given.assignment(assignment));
        }
        SHORTCUTS.forEach(
                (option, key) -> {
                    for (String value : command.all(option)) {
                        given.add(Given.text(key, value, option));
                    }
                });
        if (command.has("--owned")) {
            given.add(Given.text("lifecycle.owned", "true", "--owned"));
        }
        if (command.has("--accept-loss")) {
            given.add(Given.text("journal.accept_loss", "true", "--accept-loss"));
        }
        given.addAll(last);
        return ConfigLoader.load(configFile(command), environment, given, Platform.current());
    }

    private @Nullable Path configFile(Command.Given command) {
        String named = command.last("--config");
        return ConfigFile.find(named == null ? null : Path.of(named), environment, program());
    }

    private static @Nullable Path program() {
        try {
            return Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (URISyntaxException e) {
            return null;
        }
    }

    private static void deleteTree(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
                Files.delete(file);
            }
        }
    }

    private static PrintWriter writer(FileDescriptor descriptor) {
        return new PrintWriter(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
    }
}
