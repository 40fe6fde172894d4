package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import neuralcore.config.ConfigLoader;
import neuralcore.config.Platform;
import neuralcore.config.RuntimeConfig;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The examples in conf/cluster are configurations that a node takes. */
class ClusterExamplesTest {
    static List<Path> examples() throws Exception {
        try (Stream<Path> files = Files.list(Path.of("conf", "cluster"))) {
            return files.sorted().toList();
        }
    }

    @ParameterizedTest
    @MethodSource("examples")
    void isTaken(Path file) {
        RuntimeConfig config =
                ConfigLoader.load(file, Map.of(), List.of(), Platform.current()).config();
        assertThat(config.cluster().enabled()).isTrue();
        assertThat(config.cluster().eventPort()).isEqualTo(5702);
    }
}
