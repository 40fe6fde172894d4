package neuralcore.vectors;

import java.nio.FloatBuffer;
import java.util.List;
import neuralcore.vectors.simd.Kernels;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Tensor;

/**
 * Compares vectors that come with the request. Arrays hold rows of {@code dimension} elements one
 * after the other; scores are similarities or distances, as the {@link Metric} says.
 *
 * <p>Immutable, thread-safe. Costs queries · documents · dimension multiplications.
 */
public final class Similarity {
    /** Scores that one answer may hold: 64 MiB. */
    private static final long MAX_SCORES = 1 << 24;

    /** Uses of a packed row from which the packing is cheap beside them. */
    private static final int PACKING_PAYS = 256;

    private final Kernels kernels;
    private final Parallel parallel;

    public Similarity(Kernels kernels, Parallel parallel) {
        this.kernels = kernels;
        this.parallel = parallel;
    }

    /** The same on other threads. */
    public Similarity on(Parallel other) {
        return new Similarity(kernels, other);
    }

    /**
     * The score of each query with each document: float32, queries × documents.
     *
     * @throws NeuralCoreException {@link ErrorCode#NOT_FINITE}, {@link ErrorCode#LIMIT_EXCEEDED}
     */
    public Tensor scores(Metric metric, float[] queries, float[] documents, int dimension) {
        check(queries, documents, dimension);
        int queryCount = queries.length / dimension;
        int documentCount = documents.length / dimension;
        if ((long) queryCount * documentCount > MAX_SCORES) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    ("The answer would hold %d × %d scores, more than %d;"
                                    + " send fewer queries at a time.")
                            .formatted(queryCount, documentCount, MAX_SCORES));
        }
        if (documentCount == 0) {
            return Tensor.ofFloats(0, 0);
        }
        Tensor scores = Tensor.ofFloats(queryCount, documentCount);
        FloatBuffer out = scores.floats();
        Scoring scoring = new Scoring(kernels, metric, dimension);
        if (documentsAreNeedles(metric, queryCount, documentCount)) {
            Scan scan = new Scan(scoring, documents);
            Scan.Sink sink = new Answer(metric, out, 1, documentCount);
            scan.run(new ScanRows.OfArray(queries, dimension), queryCount, parallel, task -> sink);
        } else {
            Scan scan = new Scan(scoring, queries);
            Scan.Sink sink = new Answer(metric, out, documentCount, 1);
            scan.run(
                    new ScanRows.OfArray(documents, dimension),
                    documentCount,
                    parallel,
                    task -> sink);
        }
        return scores;
    }

    /**
     * A matrix product comes out in the order of the answer if its needles are the documents, but
     * packing them only pays if each is then used often. One needle after the other comes out right
     * if they are the queries, but is slow if there are fewer than four rows for each.
     */
    private static boolean documentsAreNeedles(Metric metric, int queries, int documents) {
        return metric.isProduct()
                ? queries >= PACKING_PAYS || documents <= 4L * queries
                : documents < 4 && queries > documents;
    }

    /**
     * The k nearest documents of each query, nearest first, equal ones in their order; all of them
     * where there are fewer than k. The matrix of all scores is never made.
     */
    public List<List<Neighbour>> topK(
            Metric metric, float[] queries, float[] documents, int dimension, int k) {
        check(queries, documents, dimension);
        Checks.atLeastOne(k);
        int documentCount = documents.length / dimension;
        return NearestRows.find(
                new Scoring(kernels, metric, dimension),
                queries,
                new ScanRows.OfArray(documents, dimension),
                documentCount,
                row -> row,
                Math.min(k, documentCount),
                parallel);
    }

    private void check(float[] queries, float[] documents, int dimension) {
        Checks.finite(kernels, queries, dimension, "queries");
        Checks.finite(kernels, documents, dimension, "documents");
    }

    /** Writes blocks to their places in the answer; blocks do not overlap. */
    private record Answer(Metric metric, FloatBuffer out, int needleStep, int rowStep)
            implements Scan.Sink {
        @Override
        public void take(
                int firstNeedle,
                int needles,
                int firstRow,
                int rows,
                float[] values,
                int needleStride,
                int rowStride) {
            if (!metric.higherIsNearer()) {
                for (int i = 0; i < values.length; i++) {
                    values[i] = metric.score(values[i]);
                }
            }
            if (needleStep == 1 && needleStride == 1) {
                for (int r = 0; r < rows; r++) {
                    int at = firstNeedle + (firstRow + r) * rowStep;
                    out.put(at, values, r * rowStride, needles);
                }
            } else if (rowStep == 1 && rowStride == 1) {
                for (int j = 0; j < needles; j++) {
                    int at = (firstNeedle + j) * needleStep + firstRow;
                    out.put(at, values, j * needleStride, rows);
                }
            } else {
                for (int j = 0; j < needles; j++) {
                    for (int r = 0; r < rows; r++) {
                        int at = (firstNeedle + j) * needleStep + (firstRow + r) * rowStep;
                        out.put(at, values[j * needleStride + r * rowStride]);
                    }
                }
            }
        }
    }
}
