package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Collections that end with the process that made them. */
class CollectionOwnersTest {
    private final Collections collections =
            new Collections(
                    KernelProvider.kernels(),
                    new CollectionLimits(100, 1L << 20, Integer.MAX_VALUE, 16 << 20));
    private final CollectionRequests requests =
            new CollectionRequests(collections, Parallel.sequential());
    private Process owner;

    /** Lives until it is killed. */
    public static void main(String[] args) throws IOException {
        if (System.in.read() < 0) {
            throw new IOException("nothing was to come");
        }
    }

    @BeforeEach
    void begin() throws IOException {
        owner =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                CollectionOwnersTest.class.getName())
                        .start();
    }

    @AfterEach
    void kill() throws InterruptedException {
        owner.destroyForcibly().waitFor();
    }

    private static String namespace() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/ns/pid")).toString();
        } catch (IOException | UnsupportedOperationException notLinux) {
            return "";
        }
    }

    private void create(String name, String namespace, Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> params = new HashMap<>();
        params.put("collection", name);
        params.put("dimension", 3);
        params.put("durable", false);
        params.put("owner", Map.of("pid", owner.pid(), "pid_namespace", namespace));
        params.putAll(more);
        requests.create(new Request("neuralcore.vectors.create", new Params(params), List.of()));
    }

    private List<String> names() {
        return collections.list().stream().map(CollectionInfo::name).toList();
    }

    @Test
    void whatAKilledProcessLeavesIsDropped() throws InterruptedException {
        create("its", namespace(), Map.of());
        collections.create("nobody's", 3, Metric.COSINE, false);
        collections.dropOrphans();
        assertThat(names()).containsExactly("its", "nobody's");
        kill();
        collections.dropOrphans();
        assertThat(names()).containsExactly("nobody's");
    }

    /** There its number may be another process's. */
    @Test
    void aProcessOfAnotherContainerOwnsNothing() throws InterruptedException {
        create("its", "pid:[1]", Map.of());
        kill();
        collections.dropOrphans();
        assertThat(names()).containsExactly("its");
    }

    @Test
    void aNameThatIsUsedAgainIsNotTheOldOwners() throws InterruptedException {
        create("its", namespace(), Map.of());
        collections.drop("its");
        collections.create("its", 3, Metric.COSINE, false);
        kill();
        collections.dropOrphans();
        assertThat(names()).containsExactly("its");
    }

    @Test
    void whatIsOnDiskBelongsToNoProcess() {
        assertThatThrownBy(() -> create("its", "", Map.of("durable", true)))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining("durable=false")
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(names()).isEmpty();
    }
}
