package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random upserts, deletions, searches, snapshots, restarts and power cuts, beside a map that is
 * searched by looking at everything. A failure names the seed; {@code -Dneuralcore.seed=…} runs it
 * alone.
 */
class CollectionModelTest {
    private static final int SEEDS = Integer.getInteger("neuralcore.seeds", 500);
    private static final int STEPS = 60;

    @Test
    void aCollectionIsAMapThatCanBeSearchedAndLasts(@TempDir Path folder) throws IOException {
        Long only = Long.getLong("neuralcore.seed");
        long first = only == null ? new Random().nextInt() : only;
        int seeds = only == null ? SEEDS : 1;
        long graphHits = 0;
        long belong = 0;
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            Parallel parallel = new Parallel(pool, 3);
            for (long seed = first; seed < first + seeds; seed++) {
                try {
                    ModelWorld world =
                            new ModelWorld(seed, folder.resolve(Long.toString(seed)), parallel);
                    for (int step = 0; step < STEPS; step++) {
                        world.step();
                    }
                    world.end();
                    graphHits += world.graphHits();
                    belong += world.graphHitsThatBelong();
                } catch (RuntimeException | AssertionError e) {
                    throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
                }
            }
        }
        assertThat((double) belong)
                .as("%d of %d", belong, graphHits)
                .isGreaterThanOrEqualTo(0.95 * graphHits);
    }
}
