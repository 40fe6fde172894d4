package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/**
 * Runs {@link JournalSimulation} over many seeds. {@code -Dneuralcore.seed=42} runs one, {@code
 * -Dneuralcore.seeds=100000} more of them.
 */
class JournalSimulationTest {
    private static final int STEPS = 300;

    @Test
    void whatIsKeptIsKeptWhateverHappens() {
        Long only = Long.getLong("neuralcore.seed");
        long first = only == null ? 1 : only;
        long last = only == null ? Long.getLong("neuralcore.seeds", 2_000) : only;
        long crashes = 0;
        long deliveries = 0;
        long confirmations = 0;
        long letters = 0;
        for (long seed = first; seed <= last; seed++) {
            try {
                JournalSimulation simulation = new JournalSimulation(seed);
                simulation.run(STEPS);
                crashes += simulation.crashes;
                deliveries += simulation.deliveries;
                confirmations += simulation.confirmations;
                letters += simulation.letters;
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError(
                        "The simulation failed; repeat it with -Dneuralcore.seed=" + seed, e);
            }
        }
        if (only == null) {
            // A simulation in which little happens proves little.
            assertThat(crashes).isGreaterThan(last);
            assertThat(deliveries).isGreaterThan(50 * last);
            assertThat(confirmations).isGreaterThan(30 * last);
            assertThat(letters).isGreaterThan(last);
        }
    }
}
