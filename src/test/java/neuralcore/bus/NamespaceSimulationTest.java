package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Runs {@link NamespaceSimulation} over many seeds. {@code -Dneuralcore.seed=42} runs one, {@code
 * -Dneuralcore.seeds=100000} more of them.
 */
class NamespaceSimulationTest {
    private static final int STEPS = 200;

    @Test
    void keepsItsPromisesWhateverHappens() {
        Long only = Long.getLong("neuralcore.seed");
        long first = only == null ? 1 : only;
        long last = only == null ? Long.getLong("neuralcore.seeds", 2_000) : only;
        long[] seen = new long[9];
        for (long seed = first; seed <= last; seed++) {
            ChannelStats totals = run(seed).totals();
            seen[0] += totals.acknowledged();
            seen[1] += totals.returned();
            seen[2] += totals.dead();
            seen[3] += totals.dropped();
            seen[4] += totals.expired();
            seen[5] += totals.abandoned();
            seen[6] += totals.unrouted();
            seen[7] += totals.duplicates();
            seen[8] += totals.limited();
        }
        if (only == null) {
            // A simulation in which little happens proves little.
            assertThat(Arrays.stream(seen).boxed()).allMatch(count -> count > 3 * last);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {3, 1_000_003})
    void aSeedRepeatsItselfToTheLastMessage(long seed) {
        assertThat(run(seed).history()).isEqualTo(run(seed).history());
        assertThat(run(seed).history()).isNotEqualTo(run(seed + 1).history());
    }

    private static NamespaceSimulation run(long seed) {
        NamespaceSimulation simulation = new NamespaceSimulation(seed);
        try {
            simulation.run(STEPS);
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError(
                    "The simulation failed; repeat it with -Dneuralcore.seed=" + seed, e);
        }
        return simulation;
    }
}
