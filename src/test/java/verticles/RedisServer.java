package verticles;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** A real redis-server with its files in a folder, to be killed and started again. */
final class RedisServer implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Path folder;
    private final int port;
    private final List<String> more;
    private Process process;

    RedisServer(Path folder) throws Exception {
        this(folder, List.of());
    }

    /**
     * @param more options
     */
    RedisServer(Path folder, List<String> more) throws Exception {
        this.folder = Files.createDirectories(folder);
        this.more = more;
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = probe.getLocalPort();
        }
        start();
    }

    int port() {
        return port;
    }

    String url() {
        return "redis://127.0.0.1:" + port;
    }

    /** What it has answered is in its file by then, so it outlives a kill. */
    void start() throws Exception {
        List<String> command = new ArrayList<>(List.of(program()));
        if (more.contains("--sentinel")) {
            // It keeps what it learns in its configuration, so it wants a file.
            Files.writeString(folder.resolve("sentinel.conf"), "");
            command.add(folder.resolve("sentinel.conf").toString());
        }
        command.addAll(
                List.of(
                        "--port",
                        String.valueOf(port),
                        "--bind",
                        "127.0.0.1",
                        "--dir",
                        folder.toString()));
        if (!more.contains("--sentinel")) {
            command.addAll(
                    List.of("--save", "", "--appendonly", "yes", "--appendfsync", "everysec"));
        }
        command.addAll(more);
        process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(folder.resolve("redis.log").toFile())
                        .start();
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!answers()) {
            if (!process.isAlive() || System.nanoTime() > end) {
                throw new AssertionError("redis-server did not start; see redis.log");
            }
            Thread.sleep(20);
        }
    }

    /** The machine's own, else the one that comes with a test library for this platform. */
    private static String program() throws IOException {
        for (String folder : System.getenv("PATH").split(File.pathSeparator)) {
            if (Files.isExecutable(Path.of(folder, "redis-server"))) {
                return "redis-server";
            }
        }
        boolean arm = System.getProperty("os.arch").equals("aarch64");
        boolean mac = System.getProperty("os.name").startsWith("Mac");
        String name =
                mac
                        ? "redis-server-6.2.6-v5-darwin-" + (arm ? "arm64" : "amd64")
                        : arm
                                ? "redis-server-6.2.7-linux-arm64"
                                : "redis-server-6.2.6-v5-linux-amd64";
        Path program = Path.of("target", name).toAbsolutePath();
        if (!Files.isExecutable(program)) {
            try (InputStream in = RedisServer.class.getResourceAsStream("/" + name)) {
                Files.copy(
                        Objects.requireNonNull(in, name),
                        program,
                        StandardCopyOption.REPLACE_EXISTING);
            }
            if (!program.toFile().setExecutable(true)) {
                throw new IOException(program + " cannot be made executable");
            }
        }
        return program.toString();
    }

    private boolean answers() {
        try {
            return command("PING").equals("+PONG");
        } catch (IOException e) {
            return false;
        }
    }

    void kill() throws InterruptedException {
        process.destroyForcibly();
        if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
            throw new AssertionError("redis-server does not die");
        }
    }

    /** Sends one command; the first line of the answer. */
    String command(String... words) throws IOException {
        return command(bytes(words));
    }

    String command(byte[]... words) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress("127.0.0.1", port), 5_000);
            socket.setSoTimeout(10_000);
            OutputStream out = socket.getOutputStream();
            out.write(("*" + words.length + "\r\n").getBytes(StandardCharsets.US_ASCII));
            for (byte[] word : words) {
                out.write(("$" + word.length + "\r\n").getBytes(StandardCharsets.US_ASCII));
                out.write(word);
                out.write("\r\n".getBytes(StandardCharsets.US_ASCII));
            }
            out.flush();
            return line(socket.getInputStream());
        }
    }

    /** The whole of a short answer; empty if there is none. */
    String answerTo(String... words) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress("127.0.0.1", port), 5_000);
            socket.setSoTimeout(10_000);
            StringBuilder inline = new StringBuilder(String.join(" ", words)).append("\r\n");
            socket.getOutputStream().write(inline.toString().getBytes(StandardCharsets.UTF_8));
            byte[] answer = new byte[1 << 16];
            int length = socket.getInputStream().read(answer);
            return new String(answer, 0, Math.max(0, length), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }

    boolean isReplicated() {
        return answerTo("INFO", "replication").contains("state=online");
    }

    boolean knowsReplicaOf(String master) {
        return answerTo("INFO", "sentinel").contains("name=" + master + ",status=ok")
                && answerTo("INFO", "sentinel").contains("slaves=1");
    }

    private static byte[][] bytes(String... words) {
        List<byte[]> bytes = new ArrayList<>();
        for (String word : words) {
            bytes.add(word.getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toArray(byte[][]::new);
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = in.read(); next != '\r' && next >= 0; next = in.read()) {
            line.append((char) next);
        }
        return line.toString();
    }

    @Override
    public void close() throws InterruptedException {
        kill();
    }
}
