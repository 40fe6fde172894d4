package verticles;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import neuralcore.wire.Json;

/** The fat jar in a process of its own. Closing it kills it. */
final class DaemonProcess implements AutoCloseable {
    /** As the last flag: the flags name a class path, and this is what runs. */
    static final String MAIN = "neuralcore.Main";

    private static final long PATIENCE_SECONDS = 120;

    private final Process process;
    private final Path folder;
    private final Path output;

    private DaemonProcess(Process process, Path folder, Path output) {
        this.process = process;
        this.folder = folder;
        this.output = output;
    }

    /** Starts {@code serve} and waits until the door answers. */
    static DaemonProcess start(Path folder, List<String> jvmFlags, String... arguments)
            throws IOException, InterruptedException {
        DaemonProcess daemon = launch(folder, Map.of(), jvmFlags, arguments);
        daemon.awaitReady();
        return daemon;
    }

    /**
     * Starts {@code serve} and waits for nothing.
     *
     * @param environment variables on top of this process's
     */
    static DaemonProcess launch(
            Path folder,
            Map<String, String> environment,
            List<String> jvmFlags,
            String... arguments)
            throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(jvmFlags);
        if (!jvmFlags.contains(MAIN)) {
            command.addAll(List.of("-jar", System.getProperty("neuralcore.jar")));
        }
        command.addAll(List.of("serve", "--data", folder.toString()));
        command.addAll(List.of(arguments));
        Files.createDirectories(folder);
        Path output = folder.resolveSibling(folder.getFileName() + ".out");
        ProcessBuilder builder =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("NEURALCORE_"));
        builder.environment().putAll(environment);
        return new DaemonProcess(builder.start(), folder, output);
    }

    /** Waits until it ends by itself, and says how. */
    int awaitExit() throws IOException, InterruptedException {
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the daemon goes on; it said:\n" + output());
        }
        return process.exitValue();
    }

    /** Waits until it has said so. */
    void awaitOutput(String text) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!output().contains(text)) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("'" + text + "' is awaited; it said:\n" + output());
            }
            Thread.sleep(20);
        }
    }

    void awaitReady() throws IOException, InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!Files.exists(folder.resolve("run/ready.json"))) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw new AssertionError("the daemon did not start; it said:\n" + output());
            }
            Thread.sleep(20);
        }
    }

    Map<String, ?> ready() throws IOException {
        return Json.readObject(
                ByteBuffer.wrap(Files.readAllBytes(folder.resolve("run/ready.json"))));
    }

    FrameClient connect() throws IOException {
        return FrameClient.unix(Path.of((String) ready().get("socket")));
    }

    String output() throws IOException {
        return Files.readString(output);
    }

    /** Asks it to end, by signal, and waits. */
    int stop() throws InterruptedException {
        process.destroy();
        process.waitFor();
        return process.exitValue();
    }

    @Override
    public void close() throws InterruptedException {
        process.destroyForcibly();
        process.waitFor();
    }
}
