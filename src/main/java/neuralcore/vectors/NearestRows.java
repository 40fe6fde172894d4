package neuralcore.vectors;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.IntToLongFunction;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** Exact search: a {@link Scan} over all rows that keeps the k nearest of each query. */
final class NearestRows {
    /** Neighbours that one answer may hold. */
    private static final long MAX_NEIGHBOURS = 1 << 22;

    private NearestRows() {}

    /**
     * @param queries rows of the scoring's dimension
     * @param rowCount rows 0 … {@code rowCount} − 1 are searched
     * @param order see {@link TopKSink}
     * @param k at most so many for each query
     * @return for each query its nearest, nearest first
     */
    static List<List<Neighbour>> find(
            Scoring scoring,
            float[] queries,
            ScanRows rows,
            int rowCount,
            IntToLongFunction order,
            int k,
            Parallel parallel) {
        int queryCount = queries.length / scoring.dimension();
        if ((long) queryCount * k > MAX_NEIGHBOURS) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    ("The answer to %d queries could hold %d neighbours, more than %d;"
                                    + " lower k or send fewer queries at a time.")
                            .formatted(queryCount, (long) queryCount * k, MAX_NEIGHBOURS));
        }
        if (k == 0) {
            return new ArrayList<>(java.util.Collections.nCopies(queryCount, List.of()));
        }
        Scoring scan = scoring.forScan(queryCount, rowCount);
        ConcurrentLinkedQueue<TopKSink> sinks = new ConcurrentLinkedQueue<>();
        new Scan(scan, queries)
                .run(
                        rows,
                        rowCount,
                        parallel,
                        task -> {
                            TopKSink sink = new TopKSink(scan.kernels(), queryCount, k, order);
                            sinks.add(sink);
                            return sink;
                        });
        return TopKSink.merge(sinks, queryCount, k, scoring.metric());
    }
}
