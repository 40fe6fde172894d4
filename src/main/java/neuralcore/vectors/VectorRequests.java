package neuralcore.vectors;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ElementType;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;

/**
 * The services of {@code docs/protocol.md} that compare vectors which come with the request: reads
 * a request, calls the engine, writes the reply. Thread-safe.
 */
public final class VectorRequests {
    private final Collections collections;
    private final Similarity similarity;

    /**
     * @param collections knows how large vectors may be
     */
    public VectorRequests(Collections collections, Similarity similarity) {
        this.collections = collections;
        this.similarity = similarity;
    }

    /** Multiplications that {@link #similarity} or {@link #topK} would take. */
    public static long comparisonWork(Request request) {
        Tensor queries = request.tensor(0, "queries");
        Tensor documents = request.tensor(1, "documents");
        return (long) Matrix.rows(queries) * documents.rows() * Math.max(1, documents.columns());
    }

    public Reply similarity(Request request) {
        Metric metric = metric(request);
        Matrix queries = Matrix.of(request.tensor(0, "queries"));
        Matrix documents = Matrix.of(request.tensor(1, "documents"));
        int dimension = commonDimension(queries, documents);
        return Reply.of(
                Map.of(),
                similarity.scores(metric, queries.values(), documents.values(), dimension));
    }

    public Reply topK(Request request) {
        Metric metric = metric(request);
        Matrix queries = Matrix.of(request.tensor(0, "queries"));
        Matrix documents = Matrix.of(request.tensor(1, "documents"));
        int dimension = commonDimension(queries, documents);
        List<List<Neighbour>> found =
                similarity.topK(
                        metric, queries.values(), documents.values(), dimension, k(request));
        int columns = found.isEmpty() ? 0 : found.getFirst().size();
        if (columns == 0) {
            return Reply.of(Map.of(), Tensor.ofLongs(new long[0]), Tensor.ofFloats(0, 0));
        }
        int cells = found.size() * columns;
        ByteBuffer indexes = ByteBuffer.allocate(Math.multiplyExact(cells, Long.BYTES));
        indexes.order(ByteOrder.LITTLE_ENDIAN);
        Tensor scores = Tensor.ofFloats(found.size(), columns);
        var scoresOut = scores.floats();
        for (List<Neighbour> neighbours : found) {
            for (Neighbour neighbour : neighbours) {
                indexes.putLong(neighbour.row());
                scoresOut.put(neighbour.score());
            }
        }
        Tensor rows = new Tensor(ElementType.INT64, found.size(), columns, indexes.flip());
        return Reply.of(Map.of(), rows, scores);
    }

    private static Metric metric(Request request) {
        return Metric.ofWireName(request.params().string("metric"));
    }

    private static int k(Request request) {
        return toInt(request.params().integer("k"));
    }

    /** The nearest int, for values whose range is checked elsewhere. */
    private static int toInt(long value) {
        return Math.clamp(value, Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    private int commonDimension(Matrix queries, Matrix documents) {
        int dimension = documents.dimensionOr(queries.dimensionOr(1));
        Checks.sameDimension(queries.dimensionOr(dimension), dimension);
        collections.checkDimension(dimension);
        return dimension;
    }
}
