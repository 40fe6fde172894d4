package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What loading the libraries does to the world outside, seen from a process of its own. */
class NativeLibrariesTest {

    /** The process: loads the model on its main thread. */
    static final class Loading {
        private Loading() {}

        public static void main(String[] arguments) {
            LocalModel.load(
                            TestModel.source(
                                    Path.of("target/no-models"),
                                    Path.of(arguments[0]),
                                    Precision.Choice.FP32),
                            task -> Thread.ofPlatform().daemon().start(task))
                    .close();
            System.out.println("loaded");
        }
    }

    @Test
    void nothingIsWrittenOutsideTheCacheAndALongCommandLineIsNoHarm(@TempDir Path folder)
            throws Exception {
        Path home = Files.createDirectories(folder.resolve("home"));
        Path temporary = Files.createDirectories(folder.resolve("tmp"));
        ProcessBuilder builder =
                new ProcessBuilder(
                        Path.of(System.getProperty("java.home", ""), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Djava.io.tmpdir=" + temporary,
                        "-cp",
                        System.getProperty("java.class.path", ""),
                        Loading.class.getName(),
                        TestModel.CACHE.toAbsolutePath().toString(),
                        "x".repeat(50_000));
        builder.environment().remove("ORT_DISABLE_TELEMETRY");
        builder.environment().remove("XDG_CACHE_HOME");
        builder.environment().put("HOME", home.toString());
        builder.environment().put("TMPDIR", temporary.toString());
        Process process = builder.redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).contains("loaded");
        assertThat(filesIn(home)).isEmpty();
        assertThat(filesIn(temporary)).isEmpty();
        assertThat(Path.of("/tmp/mat-debug-" + process.pid() + ".log")).doesNotExist();
    }

    private static List<Path> filesIn(Path root) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }
}
