package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Runs {@link BusSimulation} over many seeds. {@code -Dneuralcore.seed=42} runs one, {@code
 * -Dneuralcore.seeds=100000} more of them.
 */
class BusSimulationTest {
    private static final int STEPS = 250;

    @Test
    void keepsItsPromisesWhateverHappens() {
        Long only = Long.getLong("neuralcore.seed");
        long first = only == null ? 1 : only;
        long last = only == null ? Long.getLong("neuralcore.seeds", 2_000) : only;
        long[] seen = new long[6];
        for (long seed = first; seed <= last; seed++) {
            BusSimulation simulation = run(seed);
            ChannelStats totals = simulation.totals();
            seen[0] += totals.delivered();
            seen[1] += totals.dropped();
            seen[2] += totals.expired();
            seen[3] += totals.abandoned();
            seen[4] += totals.unrouted();
            seen[5] += simulation.told();
        }
        if (only == null) {
            // A simulation in which little happens proves little.
            assertThat(LongStream.of(seen)).allMatch(count -> count > 10 * last);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {3, 1_000_003})
    void aSeedRepeatsItselfToTheLastMessage(long seed) {
        assertThat(run(seed).history()).isEqualTo(run(seed).history());
        assertThat(run(seed).history()).isNotEqualTo(run(seed + 1).history());
    }

    private static BusSimulation run(long seed) {
        BusSimulation simulation = new BusSimulation(seed);
        try {
            simulation.run(STEPS);
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError(
                    "The simulation failed; repeat it with -Dneuralcore.seed=" + seed, e);
        }
        return simulation;
    }
}
