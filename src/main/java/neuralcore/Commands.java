package neuralcore;

import java.util.List;
import java.util.stream.Stream;
import neuralcore.Command.Option;

/** The words of the command line. */
final class Commands {
    private static final List<Option> CONFIGURATION =
            List.of(
                    new Option("--config", "FILE", "Configuration file; also NEURALCORE_CONFIG."),
                    new Option("--set", "KEY=VALUE", "Set any key of it; may be repeated."),
                    new Option("--port", "PORT", "TCP port (bridge.port); 0 picks a free one."),
                    new Option("--http-port", "PORT", "HTTP port (web.port); 0 picks a free one."),
                    new Option("--data", "FOLDER", "Data folder (data.folder)."),
                    new Option("--roles", "LIST", "Parts to run (roles), such as bus,bridge."),
                    new Option(
                            "--join",
                            "HOST:PORT",
                            "Join the cluster of the node there (cluster.enabled, cluster.join)."),
                    new Option("--log-level", "LEVEL", "error, warn, info, debug, trace."));

    static final Command SERVE =
            new Command(
                    "serve",
                    "Runs the daemon until it is stopped.",
                    Stream.concat(
                                    CONFIGURATION.stream(),
                                    Stream.of(
                                            new Option(
                                                    "--owned",
                                                    null,
                                                    "End when standard input ends."),
                                            new Option(
                                                    "--ready-file",
                                                    "FILE",
                                                    "Tell in this file, too, where the daemon is."),
                                            new Option(
                                                    "--idle-exit",
                                                    "TIME",
                                                    "End after so long without a client, as in 10m."),
                                            new Option(
                                                    "--accept-loss",
                                                    null,
                                                    "Open damaged journals with what is left."),
                                            new Option(
                                                    "--print-config",
                                                    null,
                                                    "Print every setting and its source, and end.")))
                            .toList());

    static final Command DOCTOR =
            new Command(
                    "doctor",
                    "Checks everything that a daemon needs, and says what to do.",
                    CONFIGURATION);

    static final Command VERSION = new Command("version", "Prints what this is.", List.of());

    static final Command CERTIFICATES =
            new Command(
                    "cluster certificates",
                    "Makes what nodes of a cluster know each other by.",
                    List.of(
                            new Option("--out", "FOLDER", "Where to; one that exists is added to."),
                            new Option(
                                    "--node",
                                    "NAME[=ADDRESS,…]",
                                    "A node, and how it is reached; may be repeated.")));

    /** For the build; not in the help. */
    static final Command TRAIN =
            new Command(
                    "train",
                    "Walks through a start, for an AOT cache.",
                    Stream.concat(
                                    CONFIGURATION.stream(),
                                    Stream.of(
                                            new Option(
                                                    "--prepare",
                                                    "FOLDER",
                                                    "Leave unpacked libraries and the model there.")))
                            .toList());

    static final List<Command> SHOWN = List.of(SERVE, DOCTOR, CERTIFICATES, VERSION);

    private Commands() {}

    static String help() {
        StringBuilder help = new StringBuilder();
        help.append("Vectors, embeddings and a message bus as one daemon.\n\n");
        help.append("Usage: neuralcore COMMAND [options]\n");
        for (Command command : SHOWN) {
            help.append("\n  ").append(command.name());
            help.append(" ".repeat(22 - command.name().length())).append(command.summary());
        }
        return help.append("\n\n'neuralcore COMMAND --help' lists the options.\n").toString();
    }
}
