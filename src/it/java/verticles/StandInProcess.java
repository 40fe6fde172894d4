package verticles;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A {@link StandIn} in a process of its own. Closing it kills it. */
final class StandInProcess implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 120;

    private final Process process;

    private StandInProcess(Process process) {
        this.process = process;
    }

    /** Starts one and waits until it is in the cluster, if there is one to be in. */
    static StandInProcess start(int microsecondsAToken, List<String> settings) throws Exception {
        String classes =
                Path.of(StandIn.class.getProtectionDomain().getCodeSource().getLocation().toURI())
                        .toString();
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-Xmx64m",
                                "-XX:+UseSerialGC",
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                classes + File.pathSeparator + System.getProperty("neuralcore.jar"),
                                "verticles.StandIn",
                                String.valueOf(microsecondsAToken)));
        command.addAll(settings);
        Process process =
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        StandInProcess started = new StandInProcess(process);
        BufferedReader out =
                new BufferedReader(
                        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        for (String line = out.readLine(); line != null; line = out.readLine()) {
            if (line.equals("started")) {
                return started;
            }
        }
        throw new IOException("the stand-in ended with " + process.waitFor());
    }

    /** Has it finish what it has and go. */
    void leave() throws Exception {
        process.getOutputStream().close();
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the stand-in does not leave");
        }
    }

    @Override
    public void close() throws InterruptedException {
        process.destroyForcibly();
        process.waitFor();
    }
}
