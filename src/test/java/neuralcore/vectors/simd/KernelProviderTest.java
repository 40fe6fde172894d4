package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a JVM started with these flags chooses; each in a process of its own. */
class KernelProviderTest {
    private static final String MODULE = "--add-modules=jdk.incubator.vector";

    /** Runs in the other process: says what was chosen, and uses it. */
    static final class Main {
        private Main() {}

        @SuppressWarnings("SystemOut") // the parent process reads it
        public static void main(String[] args) {
            Kernels kernels = KernelProvider.kernels();
            float[] v = {1, 2, 3};
            System.out.println("kernels " + kernels.name() + " " + kernels.dot(v, 0, v, 0, 3));
            System.out.println("slow because: " + KernelProvider.whySlow());
        }
    }

    @Test
    void withTheModuleTheFastOnes() {
        assertThat(run(MODULE)).contains("kernels panama-").contains("slow because: null");
    }

    @Test
    void withoutTheModuleTheScalarOnesAndOneLineThatNamesTheFlag() {
        String output = run();
        assertThat(output).contains("kernels scalar 14.0");
        assertThat(output.lines().filter(line -> line.contains("KernelProvider")))
                .singleElement()
                .asString()
                .contains("WARN")
                .contains("--add-modules jdk.incubator.vector");
    }

    @Test
    void withoutTheSecondCompilerTheScalarOnes() {
        assertThat(run(MODULE, "-XX:TieredStopAtLevel=1"))
                .contains("kernels scalar")
                .contains("-XX:TieredStopAtLevel");
        assertThat(run(MODULE, "-Xint")).contains("kernels scalar");
        assertThat(run(MODULE, "-XX:-UseFMA"))
                .contains("kernels scalar")
                .contains("fused multiply-add");
    }

    @Test
    void aPropertyForcesTheChoice() {
        assertThat(run(MODULE, "-Dneuralcore.kernels=scalar")).contains("kernels scalar 14.0");
        assertThat(run(MODULE, "-Dneuralcore.kernels=panama", "-Xint")).contains("kernels panama-");
        assertThat(run("-Dneuralcore.kernels=panama"))
                .contains("-Dneuralcore.kernels=panama cannot be")
                .contains("--add-modules jdk.incubator.vector");
        assertThat(run(MODULE, "-Dneuralcore.kernels=fast"))
                .contains("it must be scalar or panama");
    }

    @Test
    void aPropertyNarrowsTheVectors() {
        assertThat(run(MODULE, "-Dneuralcore.vectorbits=128")).contains("kernels panama-128 14.0");
        assertThat(run(MODULE, "-Dneuralcore.vectorbits=77")).contains("kernels scalar");
    }

    private static String run(String... flags) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(flags));
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.add(Main.class.getName());
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String output =
                    new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            process.waitFor();
            return output;
        } catch (IOException e) {
            throw new AssertionError(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }
}
