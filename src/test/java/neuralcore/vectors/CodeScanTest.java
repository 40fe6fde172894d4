package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.IntStream;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.simd.Kernels;
import neuralcore.vectors.simd.TestKernels;
import neuralcore.vectors.store.Change;
import org.junit.jupiter.api.Test;
import org.roaringbitmap.RoaringBitmap;

/** What is found by codes first is what comparing all in float32 finds, whatever the rows are. */
class CodeScanTest {
    private static final double MAX = Float.MAX_VALUE;
    private static final int LONG = Integer.getInteger("neuralcore.test.rounds", 1);

    /** How rows and queries are drawn. */
    private enum Shape {
        UNIFORM,
        CLUSTERED,
        /** A few vectors, each many times. */
        COPIES,
        /** Around one direction, apart by less than codes can tell. */
        ALIKE,
        /** Lengths from denormal to nearly infinite. */
        ANY_LENGTH,
        TINY,
        HUGE,
        /** Mostly zeros, some rows altogether. */
        SPARSE,
        /** One element outweighs all others, so that codes say little of those. */
        LOPSIDED
    }

    private final Random random;
    private final long seed =
            Long.getLong("neuralcore.test.seed", ThreadLocalRandom.current().nextLong());

    CodeScanTest() {
        random = new Random(seed);
    }

    private float[] vector(Shape shape, int dimension, float[][] centres) {
        float[] vector = Reference.gaussian(random, dimension);
        float[] centre = centres[random.nextInt(centres.length)];
        double scale =
                switch (shape) {
                    case ANY_LENGTH -> Math.pow(10, -44 + 81 * random.nextDouble());
                    case TINY -> Math.pow(10, -42 + 8 * random.nextDouble());
                    case HUGE -> Math.pow(10, 14 + 23 * random.nextDouble());
                    default -> 1;
                };
        for (int i = 0; i < dimension; i++) {
            vector[i] =
                    switch (shape) {
                        case UNIFORM -> vector[i];
                        case CLUSTERED -> centre[i] + 0.3f * vector[i];
                        case COPIES -> centre[i];
                        case ALIKE -> centres[0][i] + 1e-4f * vector[i];
                        case ANY_LENGTH, TINY, HUGE -> (float) (vector[i] * scale);
                        case SPARSE -> random.nextInt(dimension) < 2 ? vector[i] : 0;
                        case LOPSIDED -> i == 0 ? 1000 : vector[i];
                    };
        }
        return vector;
    }

    private static float[] joined(float[][] vectors) {
        int dimension = vectors[0].length;
        float[] joined = new float[vectors.length * dimension];
        for (int i = 0; i < vectors.length; i++) {
            System.arraycopy(vectors[i], 0, joined, i * dimension, dimension);
        }
        return joined;
    }

    private static Columns columns(Scoring scoring, float[] vectors, int count, Random random) {
        // Orders unlike slots, which decide between equally near rows.
        List<Integer> orders = new ArrayList<>(IntStream.range(0, count).boxed().toList());
        Collections.shuffle(orders, random);
        Columns columns = new Columns(scoring, true);
        columns.apply(
                new Change.Put(
                        "",
                        IntStream.range(0, count).toArray(),
                        Arrays.stream(new int[count]).map(i -> -1).toArray(),
                        orders.stream().mapToLong(Integer::longValue).toArray(),
                        List.copyOf(IntStream.range(0, count).mapToObj(i -> (Object) i).toList()),
                        new byte[count][],
                        new byte[count][],
                        vectors));
        columns.apply(new Change.Delete(random.ints(count / 20, 0, count).distinct().toArray()));
        return columns;
    }

    private void check(Kernels kernels, Metric metric, Shape shape, int dimension, int count) {
        String what =
                "seed %d: %s, %s, %s, %d".formatted(seed, kernels.name(), metric, shape, dimension);
        float[][] centres = new float[10][];
        Arrays.setAll(centres, i -> Reference.gaussian(random, dimension));
        float[][] rows = new float[count][];
        Arrays.setAll(rows, i -> vector(shape, dimension, centres));
        Scoring scoring = new Scoring(kernels, metric, dimension);
        Columns columns = columns(scoring, joined(rows), count, random);
        float[][] queries = {
            vector(shape, dimension, centres),
            rows[random.nextInt(count)],
            Reference.gaussian(random, dimension),
            new float[dimension]
        };
        RoaringBitmap some = columns.live().clone();
        int share = random.nextInt(1, 10);
        columns.live()
                .forEach(
                        (int slot) -> {
                            if (random.nextInt(10) >= share) {
                                some.remove(slot);
                            }
                        });
        int k = 1 + random.nextInt(20);
        ExactSearch search = new ExactSearch(columns, scoring, Parallel.sequential());
        int live = columns.live().getCardinality();
        int inScope = some.getCardinality();
        for (float[] query : queries) {
            for (RoaringBitmap scope : List.of(columns.live(), some)) {
                boolean all = scope == columns.live();
                int size = all ? live : inScope;
                List<Neighbour> found =
                        search.nearestByCodes(query, all ? null : scope, size, k).getFirst();
                String which = "%s, %d of %d rows".formatted(what, size, live);
                assertNearest(which, metric, query, columns, scope, Math.min(k, size), found);
                if (kernels.name().equals("scalar")) {
                    // Others may sum up lanes in another order once they are compiled.
                    assertThat(found)
                            .as(which)
                            .isEqualTo(
                                    search.nearest(query, all ? null : scope, size, k).getFirst());
                }
            }
        }
    }

    /** By the metric's definition in double; rows may change places that floats cannot tell. */
    private static void assertNearest(
            String what,
            Metric metric,
            float[] query,
            Columns columns,
            RoaringBitmap scope,
            int k,
            List<Neighbour> found) {
        assertThat(found).as(what).hasSize(k);
        double farthest = Double.POSITIVE_INFINITY;
        RoaringBitmap rest = scope.clone();
        for (int i = 0; i < k; i++) {
            Neighbour near = found.get(i);
            float[] row = columns.rows().snapshot().get(near.row());
            double score = score(metric, query, row);
            double tolerance = tolerance(metric, query, row);
            assertThat(Math.clamp((double) metric.score(near.score()), -MAX, MAX))
                    .as("%s, rank %d", what, i)
                    .isCloseTo(score, within(tolerance));
            farthest = Math.min(farthest, score + tolerance);
            assertThat(rest.contains(near.row())).as(what).isTrue();
            rest.remove(near.row());
            if (i > 0 && found.get(i - 1).score() == near.score()) {
                assertThat(columns.order(found.get(i - 1).row()))
                        .as("%s, ranks %d and %d are equally near", what, i - 1, i)
                        .isLessThan(columns.order(near.row()));
            }
        }
        double least = farthest;
        rest.forEach(
                (int slot) -> {
                    float[] row = columns.rows().snapshot().get(slot);
                    assertThat(score(metric, query, row) - tolerance(metric, query, row))
                            .as("%s, row %d is not among the nearest", what, slot)
                            .isLessThanOrEqualTo(least);
                });
    }

    /** What grows with nearness. */
    private static double score(Metric metric, float[] query, float[] row) {
        double score = Reference.score(metric, query, 0, row, 0, query.length);
        return Math.clamp(metric.higherIsNearer() ? score : -score, -MAX, MAX);
    }

    private static double tolerance(Metric metric, float[] query, float[] row) {
        double score = Math.abs(Reference.score(metric, query, 0, row, 0, query.length));
        double norms =
                Math.sqrt(
                        Reference.score(Metric.DOT_PRODUCT, query, 0, query, 0, query.length)
                                * Reference.score(Metric.DOT_PRODUCT, row, 0, row, 0, row.length));
        double share =
                switch (metric) {
                    case COSINE -> 1;
                    case DOT_PRODUCT -> norms;
                    case EUCLIDEAN, SQUARED_EUCLIDEAN -> score;
                };
        return score > MAX ? MAX : 3e-6 * share + Float.MIN_NORMAL;
    }

    @Test
    void theAnswerIsThatOfComparingAllInFloat32() {
        int[] dimensions = {1, 2, 3, 7, 16, 33, 100, 384, 385, 1000};
        for (int round = 0; round < LONG; round++) {
            for (Metric metric : Metric.values()) {
                for (Shape shape : Shape.values()) {
                    List<Kernels> all = TestKernels.all();
                    Kernels kernels = all.get(random.nextInt(all.size()));
                    int dimension = dimensions[random.nextInt(dimensions.length)];
                    check(kernels, metric, shape, dimension, 200 + random.nextInt(1500));
                    check(KernelProvider.kernels(), metric, shape, 384, 1500);
                }
            }
        }
    }

    @Test
    void rowsThatAreAllBeyondTheLargestFloatAreEquallyNear() {
        int count = 400;
        float[] rows = new float[2 * count];
        for (int i = 0; i < count; i++) {
            rows[2 * i + 1] = 1.2e19f + i * 1e16f; // Codes tell them apart.
        }
        Scoring scoring = new Scoring(KernelProvider.kernels(), Metric.SQUARED_EUCLIDEAN, 2);
        Columns columns = columns(scoring, rows, count, random);
        ExactSearch search = new ExactSearch(columns, scoring, Parallel.sequential());
        int live = columns.live().getCardinality();
        float[] query = {1.5e19f, 0};
        List<Neighbour> found = search.nearestByCodes(query, null, live, 10).getFirst();
        assertThat(found.getFirst().score()).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(found)
                .as("seed %d", seed)
                .isEqualTo(search.nearest(query, null, live, 10).getFirst());
    }

    @Test
    void fewRowsAreComparedTwiceWhereCodesCanTellThemApart() {
        for (Shape shape : List.of(Shape.UNIFORM, Shape.CLUSTERED)) {
            for (Metric metric : Metric.values()) {
                assertThat(comparedAgain(metric, shape, 20_000))
                        .as("seed %d: %s, %s", seed, metric, shape)
                        .isLessThan(2_500);
            }
        }
    }

    @Test
    void whereCodesTellNothingAllAreComparedInFloat32() {
        assertThat(comparedAgain(Metric.COSINE, Shape.ALIKE, 5_000)).isEqualTo(5_000);
    }

    private long comparedAgain(Metric metric, Shape shape, int count) {
        int dimension = 384;
        float[][] centres = new float[count / 100][];
        Arrays.setAll(centres, i -> Reference.gaussian(random, dimension));
        float[][] rows = new float[count][];
        Arrays.setAll(rows, i -> vector(shape, dimension, centres));
        Scoring scoring = new Scoring(KernelProvider.kernels(), metric, dimension);
        Columns columns = new Columns(scoring, true);
        for (int i = 0; i < count; i++) {
            columns.place(i, columns.namespaceNumber(""), i, i, null, null);
            columns.rows().put(i, rows[i], 0);
        }
        ExactSearch search = new ExactSearch(columns, scoring, Parallel.sequential());
        float[] query = vector(shape, dimension, centres);
        List<Neighbour> found = search.nearestByCodes(query, null, count, 10).getFirst();
        String what = "seed %d: %s, %s".formatted(seed, metric, shape);
        assertNearest(what, metric, query, columns, columns.live(), 10, found);
        return search.comparedAgain();
    }
}
