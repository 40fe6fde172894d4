package verticles;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;

/**
 * A real Kafka broker, its own controller, as a process of its own with its files in a folder, to
 * be killed and started again. Its class path is the one that the build has written down; nothing
 * of it is on ours.
 *
 * <p>It offers two doors: clients are told to come back to the one they came by, so a proxy before
 * the second sees all that its clients say.
 */
final class KafkaServer implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(120);
    private static final String CLUSTER = "4L6g3nShTeMCtKX86swAAA";

    private final Path folder;
    private final int port;
    private final int controllerPort;
    private final int innerPort;
    private final int proxiedPort;
    private final Map<String, String> more;
    private final List<String> options;
    private Process process;

    KafkaServer(Path folder) throws Exception {
        this(folder, Map.of(), List.of(), List.of());
    }

    /**
     * @param more settings of the broker
     * @param format further words for the program that prepares the folder
     * @param options of its JVM
     */
    KafkaServer(Path folder, Map<String, String> more, List<String> format, List<String> options)
            throws Exception {
        this.folder = folder;
        this.more = more;
        this.options = options;
        port = freePort();
        controllerPort = freePort();
        innerPort = freePort();
        proxiedPort = freePort();
        writeSettings();
        List<String> words =
                new ArrayList<>(List.of("format", "-t", CLUSTER, "-c", settings().toString()));
        words.addAll(format);
        Process formatted = run("kafka.tools.StorageTool", words, "format.log");
        if (!formatted.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)
                || formatted.exitValue() != 0) {
            formatted.destroyForcibly();
            throw new AssertionError(Files.readString(folder.resolve("format.log")));
        }
        start();
    }

    /**
     * Below those that systems give to connections, or one would have it when it is wanted again.
     */
    static int freePort() {
        while (true) {
            int candidate = ThreadLocalRandom.current().nextInt(10_000, 32_000);
            try (ServerSocket probe =
                    new ServerSocket(candidate, 1, InetAddress.getLoopbackAddress())) {
                return probe.getLocalPort();
            } catch (IOException e) {
                // Somebody has it.
            }
        }
    }

    /** Where clients find it. */
    String servers() {
        return "127.0.0.1:" + port;
    }

    /** Where it listens for a proxy. */
    int innerPort() {
        return innerPort;
    }

    /** Where clients are told to come that came by the proxy: it must listen there. */
    int proxiedPort() {
        return proxiedPort;
    }

    private Path settings() {
        return folder.resolve("server.properties");
    }

    private void writeSettings() throws IOException {
        Map<String, String> all = new LinkedHashMap<>();
        all.put("process.roles", "broker,controller");
        all.put("node.id", "1");
        all.put("controller.quorum.voters", "1@127.0.0.1:" + controllerPort);
        all.put(
                "listeners",
                "OUTER://127.0.0.1:%d,INNER://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d"
                        .formatted(port, innerPort, controllerPort));
        all.put(
                "advertised.listeners",
                "OUTER://127.0.0.1:%d,INNER://127.0.0.1:%d".formatted(port, proxiedPort));
        all.put(
                "listener.security.protocol.map",
                "OUTER:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT");
        all.put("inter.broker.listener.name", "OUTER");
        all.put("controller.listener.names", "CONTROLLER");
        all.put("log.dirs", folder.resolve("logs").toString());
        all.put("offsets.topic.num.partitions", "1");
        all.put("offsets.topic.replication.factor", "1");
        all.put("group.initial.rebalance.delay.ms", "0");
        all.put("group.min.session.timeout.ms", "1000");
        all.put("num.partitions", "1");
        all.put("log.cleaner.dedupe.buffer.size", Integer.toString(4 << 20));
        // Who comes back after a kill is taken for another with its name until this has passed.
        all.put("broker.session.timeout.ms", "1000");
        all.put("broker.heartbeat.interval.ms", "200");
        all.putAll(more);
        Files.writeString(
                settings(),
                all.entrySet().stream()
                        .map(each -> each.getKey() + "=" + each.getValue() + "\n")
                        .collect(Collectors.joining()));
    }

    private Process run(String program, List<String> words, String output) throws IOException {
        String classPath = Files.readString(Path.of("target", "kafka-broker.classpath"));
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(
                List.of(
                        "-Xmx192m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                        "-cp",
                        classPath,
                        program));
        command.addAll(words);
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(output).toFile())
                .start();
    }

    /** Returns when it answers. What it has answered for before is in its files. */
    void start() throws Exception {
        process = run("kafka.Kafka", List.of(settings().toString()), "kafka.log");
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!answers()) {
            if (!process.isAlive() || System.nanoTime() > end) {
                throw new AssertionError(Files.readString(folder.resolve("kafka.log")));
            }
            Thread.sleep(50);
        }
    }

    private boolean answers() {
        if (!isListening()) {
            return false;
        }
        try (Admin admin = admin()) {
            return !admin.describeCluster().nodes().get(2, TimeUnit.SECONDS).isEmpty();
        } catch (Exception e) {
            return false;
        }
    }

    private boolean isListening() {
        try (java.net.Socket probe = new java.net.Socket("127.0.0.1", port)) {
            return probe.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", servers()));
    }

    void kill() throws InterruptedException {
        process.destroyForcibly();
        if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
            throw new AssertionError("the broker does not die");
        }
    }

    @Override
    public void close() throws InterruptedException {
        kill();
    }
}
