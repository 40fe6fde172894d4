package verticles;

import java.io.File;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** How tests start daemons of one cluster. */
final class ClusterNode {
    private static final List<String> FLAGS = List.of("--add-modules=jdk.incubator.vector");

    private ClusterNode() {}

    /** The arguments of a node with these roles; {@code join} may be empty. */
    static List<String> arguments(Path credentials, String roles, int port, String join) {
        List<String> all = new ArrayList<>(List.of("--roles", roles));
        for (String setting :
                List.of(
                        "cluster.enabled=true",
                        "cluster.port=" + port,
                        "cluster.join=" + (join.isEmpty() ? "[]" : join),
                        "cluster.credentials=" + credentials)) {
            all.addAll(List.of("--set", setting));
        }
        return all;
    }

    static DaemonProcess start(Path folder, List<String> arguments) throws Exception {
        return DaemonProcess.start(folder, FLAGS, arguments.toArray(String[]::new));
    }

    static DaemonProcess launch(
            Path folder, Map<String, String> environment, List<String> arguments) throws Exception {
        return DaemonProcess.launch(folder, environment, FLAGS, arguments.toArray(String[]::new));
    }

    /** A node of a version that there is not. */
    static DaemonProcess ofVersion(String version, Path folder, List<String> arguments)
            throws Exception {
        Path classes = Files.createDirectories(folder.resolveSibling("version-" + version));
        Path file =
                Files.createDirectories(classes.resolve("neuralcore"))
                        .resolve("version.properties");
        Properties properties = new Properties();
        try (InputStream ours =
                ClusterNode.class.getResourceAsStream("/neuralcore/version.properties")) {
            properties.load(ours);
        }
        properties.setProperty("version", version);
        try (OutputStream out = Files.newOutputStream(file)) {
            properties.store(out, null);
        }
        String path = classes + File.pathSeparator + System.getProperty("neuralcore.jar");
        List<String> flags = new ArrayList<>(FLAGS);
        flags.addAll(Arrays.asList("-cp", path, DaemonProcess.MAIN));
        return DaemonProcess.launch(folder, Map.of(), flags, arguments.toArray(String[]::new));
    }

    static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
