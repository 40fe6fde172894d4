package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.simd.KernelWarmUp;
import neuralcore.vectors.simd.Kernels;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A search before the kernels are run in finds what one afterwards finds. */
class PlainScanTest {
    private static final int ROWS = 5_000;
    private static final int DIMENSION = 300;

    @AfterEach
    void runIn() {
        KernelWarmUp.run(KernelProvider.scalar());
    }

    @ParameterizedTest
    @CsvSource({"COSINE, true", "COSINE, false", "EUCLIDEAN, true", "DOT_PRODUCT, false"})
    void findsTheSame(Metric metric, boolean coded) {
        long seed = ThreadLocalRandom.current().nextLong();
        Kernels kernels = KernelProvider.kernels();
        VectorRows rows = new VectorRows(DIMENSION, metric, kernels, coded);
        Random random = new Random(seed);
        for (int row = 0; row < ROWS; row++) {
            rows.put(row, gaussian(random), 0);
        }
        float[] query = gaussian(random);
        List<List<Neighbour>> found = new ArrayList<>();
        for (boolean plain : new boolean[] {false, true}) {
            if (plain) {
                KernelWarmUp.announce();
            }
            Scoring scoring = rows.scoring();
            assertThat(scoring.forScan(1, ROWS).kernels().name().equals("scalar"))
                    .isEqualTo(plain || kernels.name().equals("scalar"));
            found.add(coded ? byCodes(rows, query) : inFloat(rows, query));
        }
        for (int rank = 0; rank < 10; rank++) {
            Neighbour kernel = found.getFirst().get(rank);
            Neighbour plain = found.getLast().get(rank);
            assertThat(plain.row()).as("seed %d", seed).isEqualTo(kernel.row());
            assertThat(plain.score())
                    .as("seed %d", seed)
                    .isCloseTo(kernel.score(), within(1e-5f * Math.abs(kernel.score())));
        }
    }

    private static List<Neighbour> inFloat(VectorRows rows, float[] query) {
        return NearestRows.find(
                        rows.scoring(),
                        query,
                        new ScanRows.Stored(rows.snapshot()),
                        ROWS,
                        row -> row,
                        10,
                        Parallel.sequential())
                .getFirst();
    }

    /** Rows that may be among the nearest, compared in float32. */
    private static List<Neighbour> byCodes(VectorRows rows, float[] query) {
        Scoring scoring = rows.scoring();
        float[] unit = rows.metric() == Metric.COSINE ? scoring.unitRows(query) : query;
        Candidates candidates =
                new CodeScan(rows, scoring, Parallel.sequential())
                        .candidates(new CodeQuery(scoring, unit), null, ROWS, row -> row, 10);
        assertThat(candidates).isNotNull();
        int[] slots = candidates.best(candidates.size());
        return NearestRows.find(
                        scoring,
                        query,
                        new ScanRows.Chosen(rows.snapshot(), slots),
                        slots.length,
                        place -> slots[place],
                        10,
                        Parallel.sequential())
                .getFirst()
                .stream()
                .map(near -> new Neighbour(slots[near.row()], near.score()))
                .toList();
    }

    private static float[] gaussian(Random random) {
        float[] values = new float[DIMENSION];
        for (int i = 0; i < DIMENSION; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
