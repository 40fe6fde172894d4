package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import neuralcore.config.ConfigLoader;
import neuralcore.config.Given;
import neuralcore.config.LoadedConfig;
import neuralcore.config.Platform;
import neuralcore.ops.MemoryCheck.Outcome;
import neuralcore.ops.MemoryCheck.Verdict;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;

class MemoryCheckTest {
    private static final long GIB = 1L << 30;

    @Test
    void aLimitWithinMemoryFits() {
        Outcome outcome =
                MemoryCheck.check(
                        with("vectors.max_bytes=3 GiB"),
                        4 * GIB,
                        () -> {
                            throw new AssertionError("the machine is not asked where it is plain");
                        });
        assertThat(outcome.verdict()).isEqualTo(Verdict.FITS);
        assertThat(outcome.text()).contains("vectors.max_bytes = 3 GiB (--set)", "4096 MiB");
    }

    @Test
    void aLimitThatJavaCannotReachIsRiskyAndSaysWhatWouldDo() {
        Outcome outcome =
                MemoryCheck.check(with("vectors.max_bytes=7 GiB"), 4 * GIB, () -> 8 * GIB);
        assertThat(outcome.verdict()).isEqualTo(Verdict.RISKY);
        assertThat(outcome.text())
                .contains("7 GiB (--set)", "Java may use 4096 MiB", "the machine has 8192 MiB")
                .contains("at most 3072 MiB");
    }

    @Test
    void moreThanTheMachineHasIsRefusedIfSomebodyAskedForIt() {
        LoadedConfig asked = with("vectors.max_bytes=9 GiB");
        assertThat(MemoryCheck.check(asked, 4 * GIB, () -> 8 * GIB).verdict())
                .isEqualTo(Verdict.IMPOSSIBLE);
        assertThat(MemoryCheck.check(with(), GIB, () -> 2 * GIB).verdict())
                .as("the default must not keep a small machine from starting")
                .isEqualTo(Verdict.RISKY);
    }

    @Test
    void thisMachineHasNoExbibyte() {
        assertThatThrownBy(() -> MemoryCheck.require(with("vectors.max_bytes=1048576 TiB")))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.CONFIG_INVALID))
                .hasMessageContaining("1048576 TiB (--set)");
        assertThat(MemoryCheck.require(with("vectors.max_bytes=1 MiB"))).isEmpty();
    }

    private static LoadedConfig with(String... assignments) {
        List<Given> given = List.of(assignments).stream().map(Given::assignment).toList();
        return ConfigLoader.load(null, Map.of(), given, Platform.current());
    }
}
