package neuralcore.vectors;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ElementType;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The vector services of {@code docs/protocol.md}: reads a request, calls the engine, writes the
 * reply. Thread-safe.
 */
public final class VectorRequests {
    private final Collections collections;
    private final Similarity similarity;
    private final Parallel parallel;

    public VectorRequests(Collections collections, Similarity similarity, Parallel parallel) {
        this.collections = collections;
        this.similarity = similarity;
        this.parallel = parallel;
    }

    /** Multiplications that {@link #similarity} or {@link #topK} would take. */
    public static long comparisonWork(Request request) {
        Tensor queries = request.tensor(0, "queries");
        Tensor documents = request.tensor(1, "documents");
        return (long) Matrix.rows(queries) * documents.rows() * Math.max(1, documents.columns());
    }

    public Reply similarity(Request request) {
        Metric metric = metric(request, null);
        Matrix queries = Matrix.of(request.tensor(0, "queries"));
        Matrix documents = Matrix.of(request.tensor(1, "documents"));
        int dimension = commonDimension(queries, documents);
        return Reply.of(
                Map.of(),
                similarity.scores(metric, queries.values(), documents.values(), dimension));
    }

    public Reply topK(Request request) {
        Metric metric = metric(request, null);
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

    public Reply create(Request request) {
        Params params = request.params();
        collections.create(
                params.string("collection"),
                toInt(params.integer("dimension")),
                metric(request, Metric.COSINE),
                params.bool("exist_ok", false));
        return Reply.of(Map.of());
    }

    public Reply drop(Request request) {
        return Reply.of(Map.of("dropped", collections.drop(request.params().string("collection"))));
    }

    public Reply list(Request request) {
        List<Map<String, Object>> infos = new ArrayList<>();
        for (CollectionInfo info : collections.list()) {
            infos.add(
                    Map.of(
                            "name", info.name(),
                            "dimension", info.dimension(),
                            "metric", info.metric().wireName(),
                            "count", info.count(),
                            "bytes", info.bytes()));
        }
        return Reply.of(Map.of("collections", infos));
    }

    public Reply upsert(Request request) {
        Collection collection = collection(request);
        List<String> ids = request.tensor(0, "ids").toStrings();
        Matrix vectors = Matrix.of(request.tensor(1, "vectors"));
        Upserted upserted =
                collection.upsert(
                        new Batch(ids, vectors.values(), metadata(request)),
                        vectors.dimensionOr(collection.dimension()));
        return Reply.of(Map.of("inserted", upserted.inserted(), "updated", upserted.updated()));
    }

    public Reply get(Request request) {
        Collection collection = collection(request);
        List<StoredRow> rows = collection.get(request.tensor(0, "ids").toStrings());
        List<String> ids = new ArrayList<>(rows.size());
        List<@Nullable Map<String, @Nullable Object>> metadata = new ArrayList<>(rows.size());
        Tensor vectors = Tensor.ofFloats(rows.size(), collection.dimension());
        var vectorsOut = vectors.floats();
        for (StoredRow row : rows) {
            ids.add(row.id());
            metadata.add(row.metadata());
            vectorsOut.put(row.vector());
        }
        return Reply.of(Map.of("found", ids, "metadata", metadata), vectors);
    }

    public Reply delete(Request request) {
        int deleted = collection(request).delete(request.tensor(0, "ids").toStrings());
        return Reply.of(Map.of("deleted", deleted));
    }

    public Reply search(Request request) {
        Collection collection = collection(request);
        Matrix queries = Matrix.of(request.tensor(0, "queries"));
        List<List<Hit>> found =
                collection.search(
                        queries.values(),
                        queries.dimensionOr(collection.dimension()),
                        k(request),
                        parallel);
        List<Integer> counts = new ArrayList<>(found.size());
        List<String> ids = new ArrayList<>();
        List<@Nullable Map<String, @Nullable Object>> metadata = new ArrayList<>();
        for (List<Hit> hits : found) {
            counts.add(hits.size());
            for (Hit hit : hits) {
                ids.add(hit.id());
                metadata.add(hit.metadata());
            }
        }
        float[] scores = new float[ids.size()];
        int at = 0;
        for (List<Hit> hits : found) {
            for (Hit hit : hits) {
                scores[at++] = hit.score();
            }
        }
        Map<String, @Nullable Object> result =
                request.params().bool("include_metadata", false)
                        ? Map.of("counts", counts, "metadata", metadata)
                        : Map.of("counts", counts);
        return Reply.of(result, Tensor.ofStrings(ids), Tensor.ofFloats(scores));
    }

    private Collection collection(Request request) {
        return collections.get(request.params().string("collection"));
    }

    private static Metric metric(Request request, @Nullable Metric otherwise) {
        return otherwise != null && !request.params().has("metric")
                ? otherwise
                : Metric.ofWireName(request.params().string("metric"));
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

    @SuppressWarnings("unchecked") // JSON objects have string keys
    private static @Nullable List<@Nullable Map<String, @Nullable Object>> metadata(
            Request request) {
        List<?> list = request.params().optionalList("metadata");
        if (list == null) {
            return null;
        }
        List<@Nullable Map<String, @Nullable Object>> metadata = new ArrayList<>(list.size());
        for (Object item : list) {
            if (item != null && !(item instanceof Map)) {
                throw NeuralCoreException.invalid(
                        "'metadata' holds %s at %d; each entry must be an object or null."
                                .formatted(item, metadata.size()));
            }
            metadata.add((Map<String, @Nullable Object>) item);
        }
        return metadata;
    }
}
