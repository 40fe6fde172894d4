package neuralcore.vectors;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import neuralcore.vectors.filter.FilterParser;
import neuralcore.vectors.store.Disk;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The services of collections in {@code docs/protocol.md}: reads a request, calls the engine,
 * writes the reply. Thread-safe.
 */
public final class CollectionRequests {
    private static final int LARGEST_PAGE = 100_000;

    private final Collections collections;
    private final Parallel parallel;

    public CollectionRequests(Collections collections, Parallel parallel) {
        this.collections = collections;
        this.parallel = parallel;
    }

    public Reply create(Request request) {
        Params params = request.params();
        Map<String, @Nullable Object> metadata = params.optionalObject("metadata");
        CollectionSpec spec =
                new CollectionSpec(
                        params.string("collection"),
                        toInt(params.integer("dimension")),
                        Metric.ofWireName(params.string("metric", Metric.COSINE.wireName())),
                        params.bool("durable", collections.canKeep()),
                        params.bool("int8", true),
                        CollectionSpec.graphConfig(params),
                        metadata == null ? Map.of() : metadata);
        Map<String, @Nullable Object> owner = params.optionalObject("owner");
        if (owner != null && spec.durable()) {
            throw NeuralCoreException.invalid(
                    "'owner' goes with durable=false; what is on disk outlives its process.");
        }
        Collection there = collections.create(spec, params.bool("exist_ok", false));
        boolean durable = there.info().durable();
        if (params.has("durable") && durable != spec.durable()) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "Collection '%s' exists, and is %s; choose another name or drop it."
                            .formatted(
                                    spec.name(),
                                    durable ? "kept on disk" : "in the daemon's memory alone"));
        }
        collections.belongsTo(spec.name(), owner);
        return Reply.of(Map.of());
    }

    public Reply drop(Request request) {
        return Reply.of(Map.of("dropped", collections.drop(request.params().string("collection"))));
    }

    public Reply list(Request request) {
        List<Map<String, @Nullable Object>> infos = new ArrayList<>();
        for (CollectionInfo info : collections.list()) {
            Map<String, @Nullable Object> entry = new LinkedHashMap<>();
            entry.put("name", info.name());
            entry.put("dimension", info.dimension());
            entry.put("metric", info.metric().wireName());
            entry.put("count", info.count());
            entry.put("bytes", info.bytes());
            entry.put("durable", info.durable());
            entry.put("metadata", info.metadata());
            if (!info.problem().isEmpty()) {
                entry.put("problem", info.problem());
            }
            infos.add(entry);
        }
        return Reply.of(Map.of("collections", infos));
    }

    public Reply upsert(Request request) {
        Collection collection = collection(request);
        Params params = request.params();
        Matrix vectors = Matrix.of(request.tensor(1, "vectors"));
        Batch batch =
                new Batch(
                        params.string("namespace", ""),
                        Ids.of(request.tensor(0, "ids")),
                        vectors.values(),
                        objects(params, "metadata"),
                        texts(params));
        Upserted upserted = collection.upsert(batch, vectors.dimensionOr(collection.dimension()));
        return Reply.of(Map.of("inserted", upserted.inserted(), "updated", upserted.updated()));
    }

    public Reply get(Request request) {
        Params params = request.params();
        boolean vectors = params.bool("include_vectors", true);
        Collection collection = collection(request);
        Page page =
                collection.get(
                        params.string("namespace", ""), Ids.of(request.tensor(0, "ids")), vectors);
        return reply(page, collection, vectors);
    }

    public Reply scroll(Request request) {
        Params params = request.params();
        Collection collection = collection(request);
        boolean vectors = params.bool("include_vectors", false);
        int limit = params.integer("limit", 1_000, 1, LARGEST_PAGE);
        Page page =
                collection.scroll(scope(request, 0), params.integer("after", -1), limit, vectors);
        return reply(page, collection, vectors);
    }

    private static Reply reply(Page page, Collection collection, boolean withVectors) {
        List<StoredRow> rows = page.rows();
        Map<String, @Nullable Object> result = new LinkedHashMap<>();
        result.put("found", rows.stream().map(StoredRow::id).toList());
        describe(result, rows);
        namespaces(result, rows);
        if (page.next() != Page.END) {
            result.put("next", page.next());
        }
        return Reply.of(result, vectors(withVectors ? rows : List.of(), collection));
    }

    private static Tensor vectors(List<StoredRow> rows, Collection collection) {
        Tensor vectors = Tensor.ofFloats(rows.size(), collection.dimension());
        var out = vectors.floats();
        for (StoredRow row : rows) {
            if (row.vector() != null) {
                out.put(row.vector());
            }
        }
        return vectors;
    }

    /** Metadata, and texts if there are any. */
    private static void describe(Map<String, @Nullable Object> result, List<StoredRow> rows) {
        List<@Nullable Object> metadata = new ArrayList<>(rows.size());
        List<@Nullable Object> texts = new ArrayList<>(rows.size());
        boolean anyText = false;
        for (StoredRow row : rows) {
            metadata.add(row.metadata());
            texts.add(row.text());
            anyText |= row.textBytes() != null;
        }
        result.put("metadata", metadata);
        if (anyText) {
            result.put("texts", texts);
        }
    }

    /** Where the rows are, if any is not in the namespace that is there by default. */
    private static void namespaces(Map<String, @Nullable Object> result, List<StoredRow> rows) {
        if (rows.stream().anyMatch(row -> !row.namespace().isEmpty())) {
            result.put("namespaces", rows.stream().map(StoredRow::namespace).toList());
        }
    }

    public Reply delete(Request request) {
        if (request.tensors().isEmpty() && !request.params().has("filter")) {
            throw NeuralCoreException.invalid(
                    "Nothing says what to delete; give ids, a filter, or both.");
        }
        return Reply.of(Map.of("deleted", collection(request).delete(scope(request, 0))));
    }

    public Reply count(Request request) {
        return Reply.of(Map.of("count", collection(request).count(scope(request, 0))));
    }

    public Reply search(Request request) {
        Collection collection = collection(request);
        Query query = query(request, collection);
        return reply(request.params(), collection.search(query, parallel), collection);
    }

    /** {@link #search} on the calling thread if it is quick ({@link Collection#searchIfQuick}). */
    public @Nullable Reply searchIfQuick(Request request) {
        if (request.tensors().size() > 1 || request.params().has("filter")) {
            return null;
        }
        Collection collection = collection(request);
        Found found = collection.searchIfQuick(query(request, collection));
        return found == null ? null : reply(request.params(), found, collection);
    }

    private static Query query(Request request, Collection collection) {
        Params params = request.params();
        Matrix queries = Matrix.of(request.tensor(0, "queries"));
        return new Query(
                queries.values(),
                queries.dimensionOr(collection.dimension()),
                toInt(params.integer("k")),
                scope(request, 1),
                params.has("limit") ? (float) params.number("limit", 0) : null,
                params.bool("include_metadata", false),
                params.bool("include_vectors", false),
                params.bool("exact", false),
                params.integer("ef", 0, 0, 1 << 16));
    }

    private static Reply reply(Params params, Found found, Collection collection) {
        boolean withMetadata = params.bool("include_metadata", false);
        boolean withVectors = params.bool("include_vectors", false);
        List<Integer> counts = new ArrayList<>(found.hits().size());
        List<StoredRow> rows = new ArrayList<>();
        for (List<Hit> hits : found.hits()) {
            counts.add(hits.size());
            hits.forEach(hit -> rows.add(hit.row()));
        }
        float[] scores = new float[rows.size()];
        int at = 0;
        for (List<Hit> hits : found.hits()) {
            for (Hit hit : hits) {
                scores[at++] = hit.score();
            }
        }
        Map<String, @Nullable Object> result = new LinkedHashMap<>();
        result.put("counts", counts);
        List<StoredRow> complete = rows.subList(0, found.complete());
        if (complete.size() < rows.size()) {
            result.put("complete", complete.size());
        }
        if (withMetadata) {
            describe(result, complete);
        }
        if (withMetadata || complete.size() < rows.size()) {
            namespaces(result, rows);
        }
        if (params.bool("explain", false)) {
            result.put("plan", explain(found.plan()));
        }
        List<Object> ids = rows.stream().map(StoredRow::id).toList();
        List<Tensor> tensors = new ArrayList<>();
        if (Ids.allNumbers(ids)) {
            tensors.add(Tensor.ofLongs(ids.stream().mapToLong(id -> (Long) id).toArray()));
        } else {
            if (ids.stream().anyMatch(Long.class::isInstance)) {
                result.put("ids", ids);
            }
            tensors.add(Tensor.ofStrings(ids.stream().map(String::valueOf).toList()));
        }
        tensors.add(Tensor.ofFloats(scores));
        if (withVectors) {
            tensors.add(vectors(complete, collection));
        }
        return new Reply(result, tensors);
    }

    private static Map<String, @Nullable Object> explain(Plan plan) {
        return Map.of(
                "strategy", plan.strategy().name().toLowerCase(Locale.ROOT),
                "in_scope", plan.inScope(),
                "live", plan.live(),
                "visited", plan.visited(),
                "rescored", plan.rescored(),
                "unindexed", plan.unindexed());
    }

    /** What a collection takes and how it is searched. */
    public Reply describe(Request request) {
        Collection collection = collection(request);
        Map<String, @Nullable Object> description = collection.describe();
        int probes = request.params().integer("probe", 0, 0, 1_000);
        if (probes > 0) {
            description.put("recall", CollectionReport.recall(collection, probes, parallel));
        }
        return Reply.of(description);
    }

    /** Writes a snapshot now. */
    public Reply snapshot(Request request) {
        try {
            return Reply.of(Map.of("written", collection(request).snapshot()));
        } catch (IOException e) {
            throw Disk.unwritable("The snapshot could not be written: " + e, e);
        }
    }

    private Collection collection(Request request) {
        return collections.get(request.params().string("collection"));
    }

    /**
     * The rows that a request is about.
     *
     * @param allowed the first attachment that has ids, if there is one; where there are strings
     *     and integers, the next one has the others
     */
    private static Scope scope(Request request, int allowed) {
        Params params = request.params();
        Map<String, @Nullable Object> filter = params.optionalObject("filter");
        List<Tensor> tensors = request.tensors();
        return new Scope(
                params.string("namespace", ""),
                filter == null ? null : FilterParser.parse(filter),
                tensors.size() > allowed
                        ? Ids.ofAll(tensors.subList(allowed, tensors.size()))
                        : null);
    }

    /** The nearest int, for values whose range is checked elsewhere. */
    private static int toInt(long value) {
        return Math.clamp(value, Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    @SuppressWarnings("unchecked") // JSON objects have string keys
    private static @Nullable List<@Nullable Map<String, @Nullable Object>> objects(
            Params params, String name) {
        List<?> list = params.optionalList(name);
        if (list == null) {
            return null;
        }
        List<@Nullable Map<String, @Nullable Object>> objects = new ArrayList<>(list.size());
        for (Object item : list) {
            if (item != null && !(item instanceof Map)) {
                throw NeuralCoreException.invalid(
                        "'%s' holds %s at %d; each entry must be an object or null."
                                .formatted(name, item, objects.size()));
            }
            objects.add((Map<String, @Nullable Object>) item);
        }
        return objects;
    }

    private static @Nullable List<@Nullable String> texts(Params params) {
        List<?> list = params.optionalList("texts");
        if (list == null) {
            return null;
        }
        List<@Nullable String> texts = new ArrayList<>(list.size());
        for (Object item : list) {
            if (item != null && !(item instanceof String)) {
                throw NeuralCoreException.invalid(
                        "'texts' holds %s at %d; each entry must be a string or null."
                                .formatted(item, texts.size()));
            }
            texts.add((String) item);
        }
        return texts;
    }
}
