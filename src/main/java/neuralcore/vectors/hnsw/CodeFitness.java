package neuralcore.vectors.hnsw;

import neuralcore.vectors.VectorRows;

/**
 * Whether int8 codes tell apart the rows that are near each other. Where many rows differ by less
 * than a code's step, as many nearly equal texts do, those nearest by their codes are any of them,
 * and no comparing again of the best few mends that.
 *
 * <p>Some of the rows are asked for: their nearest by codes must have among them what is nearest by
 * float32. It takes about as long as adding two thousandths of the rows to a graph. Stateless.
 */
public final class CodeFitness {
    private static final int QUERIES = 32;
    private static final int NEAREST = 10;

    /** As many as a search compares again. */
    private static final int RESCORED = 20;

    private static final double ENOUGH = 0.95;

    /** What sums in float may differ, as a share. */
    private static final float ROUNDING = 1e-6f;

    private static final int BLOCK = 256;

    private CodeFitness() {}

    /**
     * Whether a graph over these rows does well with {@link Traversal#INT8}.
     *
     * @param rows have codes
     * @param numbers of the rows that count, which stay as they are meanwhile
     * @param pause called now and then, to let others go first
     */
    public static boolean isGood(VectorRows rows, int[] numbers, Runnable pause) {
        RowScorer codes = new CodeScorer(rows);
        RowScorer floats = new FloatScorer(rows);
        float[] byCodes = new float[numbers.length];
        float[] byFloats = new float[numbers.length];
        int queries = Math.min(QUERIES, numbers.length);
        int hits = 0;
        int wanted = 0;
        for (int i = 0; i < queries; i++) {
            int query = numbers[(int) ((long) i * numbers.length / queries)];
            float[] values = rows.snapshot().get(query);
            score(codes, values, numbers, byCodes, pause);
            score(floats, values, numbers, byFloats, pause);
            Pool nearest = lowest(byFloats, NEAREST);
            float reach = nearest.distance(nearest.size() - 1);
            reach += ROUNDING * Math.abs(reach);
            Pool chosen = lowest(byCodes, RESCORED);
            int good = 0;
            for (int rank = 0; rank < chosen.size(); rank++) {
                good += byFloats[chosen.row(rank)] <= reach ? 1 : 0;
            }
            hits += Math.min(good, nearest.size());
            wanted += nearest.size();
        }
        return hits >= ENOUGH * wanted;
    }

    private static void score(
            RowScorer scorer, float[] query, int[] numbers, float[] distances, Runnable pause) {
        int[] ids = new int[BLOCK + HeapRows.ROWS];
        float[] out = new float[BLOCK + HeapRows.ROWS];
        scorer.begin(query, 0);
        for (int from = 0; from < numbers.length; from += BLOCK) {
            int count = Math.min(BLOCK, numbers.length - from);
            System.arraycopy(numbers, from, ids, 0, count);
            scorer.score(ids, count, out);
            System.arraycopy(out, 0, distances, from, count);
            if (from % (32 * BLOCK) == 0) {
                pause.run();
            }
        }
    }

    /** Places of the lowest numbers. */
    private static Pool lowest(float[] numbers, int count) {
        Pool pool = new Pool();
        pool.clear(count);
        for (int i = 0; i < numbers.length; i++) {
            if (numbers[i] < pool.bound()) {
                pool.insert(numbers[i], i);
            }
        }
        return pool;
    }
}
