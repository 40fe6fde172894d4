package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.StandardProtocolFamily;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The jar as it is shipped: found, asked, stopped. */
class DaemonIT {
    private static final long PATIENCE_SECONDS = 120;

    @TempDir Path folder;

    private final List<Process> started = new ArrayList<>();
    private Path ready;

    @BeforeEach
    void nameFiles() {
        ready = folder.resolve("data/run/ready.json");
    }

    @AfterEach
    void endAll() throws InterruptedException {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void withoutAnyFlagItOpensBecomesReadyAndStopsWhenAClientAsks() throws Exception {
        Process daemon = jar(List.of(), "serve", "--data", folder.resolve("data").toString());
        await(daemon, () -> Files.exists(ready));
        assertThat(read()).containsEntry("pid", daemon.pid()).containsEntry("open", true);
        await(daemon, () -> Boolean.TRUE.equals(read().get("model_ready")));

        assertThat(get("/health/live")).isEqualTo(200);
        assertThat(get("/health/ready")).isEqualTo(200);
        assertThat(get("/metrics")).as("no token was shown").isEqualTo(401);
        Map<String, @Nullable Object> info = ask("neuralcore.system.info");
        assertThat(info)
                .containsEntry("version", Version.NUMBER)
                .containsEntry("model_ready", true)
                .containsEntry("connections", 1L)
                .containsEntry(
                        "roles", List.of("bus", "vectors", "embedding", "bridge", "web", "relay"));
        assertThat((Long) info.get("memory_bytes")).isGreaterThan(1 << 20);

        ask("neuralcore.system.stop");
        assertThat(exitCode(daemon)).isZero();
        assertThat(ready).doesNotExist();
        assertThat(folder.resolve("data/logs/daemon.log")).content().contains("a client asked");
    }

    @Test
    void killedItLeavesNothingInTheTemporaryFolderAndTheNextOneRemovesWhatOthersLeft()
            throws Exception {
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        FileTime longAgo = FileTime.from(Instant.now().minus(Duration.ofHours(1)));
        Path left = Files.createDirectory(temporary.resolve("onnxruntime-java1"));
        Path full = Files.createDirectory(temporary.resolve("onnxruntime-java2"));
        Path young = Files.createDirectory(temporary.resolve("onnxruntime-java3"));
        Files.createFile(full.resolve("library"));
        Files.setLastModifiedTime(left, longAgo);
        Files.setLastModifiedTime(full, longAgo);

        Process daemon =
                jar(
                        List.of("-Djava.io.tmpdir=" + temporary),
                        "serve",
                        "--data",
                        folder.resolve("data").toString());
        await(daemon, () -> Files.exists(ready));
        await(daemon, () -> Boolean.TRUE.equals(read().get("model_ready")));
        daemon.destroyForcibly().waitFor();
        try (Stream<Path> rest = Files.list(temporary)) {
            assertThat(rest).containsExactlyInAnyOrder(full, young);
        }
    }

    @Test
    void aCacheOfClassesIsMadeUsedAndPassedOverInSilenceWhenItDoesNotFit() throws Exception {
        Path cache = folder.resolve("neuralcore.aot");
        Path classes = folder.resolve("classes.list");
        String options = "@conf/jvm.options";
        String program = System.getProperty("neuralcore.jar");
        List<String> recording = List.of(options, "-XX:DumpLoadedClassList=" + classes);
        assertThat(exitCode(jar(recording, "train"))).isZero();
        List<String> dumping =
                List.of(
                        options,
                        "-Xshare:dump",
                        "-XX:SharedClassListFile=" + classes,
                        "-XX:SharedArchiveFile=" + cache,
                        "-cp",
                        program);
        assertThat(exitCode(java(dumping))).isZero();

        List<String> using = List.of("-XX:AOTCache=" + cache, options);
        assertThat(output(jar(using, "doctor"))).contains("ok    AOT cache      " + cache);

        Files.write(cache, new byte[] {1, 2, 3});
        Process version = jar(using, "version");
        assertThat(exitCode(version)).isZero();
        assertThat(output(version)).startsWith("neuralcore " + Version.NUMBER);
        assertThat(Files.readString(folder.resolve("err"))).doesNotContain("AOT", "cache");
        assertThat(output(jar(using, "doctor"))).contains("warn  AOT cache").contains("renews it");
    }

    private Process jar(List<String> options, String... arguments) throws IOException {
        List<String> rest = new ArrayList<>(options);
        rest.addAll(List.of("-jar", System.getProperty("neuralcore.jar")));
        rest.addAll(List.of(arguments));
        return java(rest);
    }

    private Process java(List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(arguments);
        ProcessBuilder builder =
                new ProcessBuilder(command)
                        .redirectOutput(folder.resolve("out").toFile())
                        .redirectError(folder.resolve("err").toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("NEURALCORE_"));
        Process process = builder.start();
        started.add(process);
        return process;
    }

    private int exitCode(Process process) throws InterruptedException {
        assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    private String output(Process process) throws Exception {
        exitCode(process);
        return Files.readString(folder.resolve("out"));
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private void await(Process process, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.holds()) {
            assertThat(process.isAlive() && System.nanoTime() < deadline)
                    .as(() -> "said: " + readOr(folder.resolve("err")))
                    .isTrue();
            Thread.sleep(20);
        }
    }

    private static String readOr(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private Map<String, @Nullable Object> read() throws IOException {
        return Json.readObject(ByteBuffer.wrap(Files.readAllBytes(ready)));
    }

    private int get(String path) throws IOException {
        URI uri = URI.create("http://127.0.0.1:" + read().get("http_port") + path);
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
        return connection.getResponseCode();
    }

    /** Sends one JSON frame over the unix socket and returns the body of the answer. */
    @SuppressWarnings("unchecked")
    private Map<String, @Nullable Object> ask(String address) throws IOException {
        byte[] frame =
                Json.write(
                        Map.of(
                                "type",
                                "send",
                                "address",
                                address,
                                "replyAddress",
                                "answer",
                                "body",
                                Map.of()));
        Path socket = Path.of(String.valueOf(read().get("socket")));
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            ByteBuffer framed =
                    ByteBuffer.allocate(4 + frame.length).putInt(frame.length).put(frame).flip();
            while (framed.hasRemaining()) {
                channel.write(framed);
            }
            var in = Channels.newInputStream(channel);
            int length = ByteBuffer.wrap(in.readNBytes(4)).getInt();
            var answer = Json.readObject(ByteBuffer.wrap(in.readNBytes(length)));
            return (Map<String, @Nullable Object>) answer.get("body");
        }
    }
}
