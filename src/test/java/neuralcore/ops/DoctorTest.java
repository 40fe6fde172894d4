package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import neuralcore.config.ConfigLoader;
import neuralcore.config.Given;
import neuralcore.config.Platform;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorTest {
    @TempDir Path folder;

    @Test
    void everyLineHasAVerdictAndTheSettingsFollow() {
        StringWriter out = new StringWriter();
        boolean well = doctor(out, "data.folder=" + folder.resolve("new"), "num_threads=2");

        assertThat(well).isTrue();
        String[] parts = out.toString().split("\n\n", 2);
        assertThat(parts[0].lines()).allMatch(line -> line.matches("(ok  |warn|FAIL)  \\S.*"));
        assertThat(parts[0])
                .contains("Java           " + Runtime.version())
                .contains("vector module  readable")
                .contains("AOT cache      none given")
                .contains("older name")
                .contains(folder.resolve("new") + " will be made")
                .contains("MiB free")
                .contains("all-MiniLM-L6-v2, in the program")
                .contains("none is running")
                .contains("neuralcore-runtime");
        assertThat(parts[1])
                .containsPattern("vectors.threads +2 +--set \\(as num_threads\\)")
                .containsPattern("bridge.port +0 +default");
        assertThat(folder).as("looking changes nothing").isEmptyDirectory();
    }

    @Test
    void whatCannotWorkFailsAndSaysWhatToDo() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        StringWriter out = new StringWriter();
        boolean well = doctor(out, "data.folder=" + file, "embedding.model=no-such-model");

        assertThat(well).isFalse();
        assertThat(out.toString())
                .contains("FAIL  data folder    " + file + " cannot be written to: choose another")
                .contains("FAIL  model          no-such-model is neither in the program nor in");
    }

    private boolean doctor(StringWriter out, String... assignments) {
        List<Given> given = Stream.of(assignments).map(Given::assignment).toList();
        return new Doctor(ConfigLoader.load(null, Map.of(), given, Platform.current()), null)
                .run(new PrintWriter(out));
    }
}
