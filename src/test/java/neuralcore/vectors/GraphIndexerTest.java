package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import neuralcore.vectors.hnsw.HnswConfig;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.store.Change;
import org.junit.jupiter.api.Test;

class GraphIndexerTest {
    private static final int DIMENSION = 8;
    private static final int EXACT_BELOW = 100;

    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);
    private final Scoring scoring =
            new Scoring(KernelProvider.kernels(), Metric.EUCLIDEAN, DIMENSION);
    private final Table table = new Table(scoring, true);
    private final List<Integer> answers = new ArrayList<>();
    private final GraphIndexer indexer =
            new GraphIndexer(
                    table,
                    HnswConfig.defaults(),
                    EXACT_BELOW,
                    Parallel.sequential(),
                    Runnable::run,
                    new RightOfWay(),
                    new ReentrantLock(),
                    new SearchedWheneverFree());

    /** Whenever readers may come in again, one is there at once and asks for what it can get. */
    private final class SearchedWheneverFree extends ReentrantLock {
        @Override
        public void unlock() {
            super.unlock();
            float[] query = vectors(1);
            Query nearest = Query.nearest(query, DIMENSION, table.count() / 2);
            CollectionSearch search =
                    new CollectionSearch(
                            table,
                            scoring,
                            indexer.index(),
                            EXACT_BELOW,
                            Long.MAX_VALUE,
                            Parallel.sequential());
            answers.add(search.search(nearest).hits().getFirst().size());
        }
    }

    private float[] vectors(int rows) {
        float[] vectors = new float[rows * DIMENSION];
        for (int i = 0; i < vectors.length; i++) {
            vectors[i] = (float) random.nextGaussian();
        }
        return vectors;
    }

    @Test
    void searchesDoNotSeeWhatTheGraphHasStillToLetGo() {
        List<Object> ids = IntStream.range(0, 400).mapToObj(i -> (Object) (long) i).toList();
        Change.Put put = table.plan(new Batch(ids, vectors(400), null), DIMENSION).put();
        table.columns().reserve(table.slotsFor(put));
        table.apply(put);
        indexer.follow(table.count());
        for (int first = 0; first < 200; first += 20) {
            int[] slots = table.find(new Scope("", null, ids.subList(first, first + 20))).toArray();
            table.apply(new Change.Delete(slots));
            answers.clear();
            indexer.follow(table.count());
            assertThat(answers).as("seed %d", seed).isNotEmpty().containsOnly(table.count() / 2);
        }
    }
}
