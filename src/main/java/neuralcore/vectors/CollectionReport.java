package neuralcore.vectors;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import neuralcore.vectors.hnsw.HnswIndex;
import neuralcore.vectors.store.CollectionFiles;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/** What is told of a collection. Stateless. */
final class CollectionReport {
    /** Nearest rows that are compared to tell the recall. */
    private static final int PROBED = 10;

    private CollectionReport() {}

    /** By the names of {@code docs/vectors.md}; the caller keeps writers away. */
    static Map<String, @Nullable Object> of(
            CollectionInfo info,
            Table table,
            @Nullable HnswIndex graph,
            int exactBelow,
            @Nullable CollectionFiles files,
            long openMillis) {
        int used = table.columns().used();
        RoaringBitmap pending = table.pending();
        Map<String, @Nullable Object> report = new LinkedHashMap<>();
        report.put("name", info.name());
        report.put("dimension", info.dimension());
        report.put("metric", info.metric().wireName());
        report.put("count", info.count());
        report.put("namespaces", table.namespaces().inUse());
        report.put("memory_bytes", info.bytes());
        report.put("mapped_bytes", table.columns().rows().snapshot().mappedBytes());
        report.put("deleted_share", used == 0 ? 0.0 : 1.0 - (double) info.count() / used);
        report.put("graph", graph == null ? "none" : "built");
        report.put(
                "traversal",
                graph == null ? null : graph.config().traversal().name().toLowerCase(Locale.ROOT));
        report.put("graph_bytes", graph == null ? 0L : graph.heapBytes());
        report.put("unindexed", pending == null ? 0 : pending.getCardinality());
        report.put("exact_below", exactBelow);
        report.put("durable", files != null);
        if (files != null) {
            report.put("log_bytes", files.logBytes());
            report.put("snapshot_bytes", files.snapshotBytes());
            report.put("changes", files.last());
            report.put("open_milliseconds", openMillis);
        }
        return report;
    }

    /**
     * The share of the 10 nearest that searches find: some of the collection's own rows are asked
     * for, as a search does it and exactly. Of rows that are equally near any will do.
     *
     * @param probes how many rows
     */
    static double recall(Collection collection, int probes, Parallel parallel) {
        int wanted = 0;
        int found = 0;
        for (StoredRow row : collection.sample(probes)) {
            float[] vector = row.vector();
            if (vector != null) {
                List<Hit> exact = probe(collection, vector, true, parallel);
                List<Long> nearest = exact.stream().map(hit -> hit.row().order()).toList();
                float last = exact.getLast().score();
                wanted += exact.size();
                for (Hit hit : probe(collection, vector, false, parallel)) {
                    boolean isAsNear = collection.metric().reaches(hit.score(), last);
                    found += isAsNear || nearest.contains(hit.row().order()) ? 1 : 0;
                }
            }
        }
        return wanted == 0 ? 1.0 : (double) found / wanted;
    }

    private static List<Hit> probe(
            Collection collection, float[] vector, boolean exact, Parallel parallel) {
        Scope everywhere = Scope.of(Scope.EVERYWHERE);
        Query query =
                new Query(vector, vector.length, PROBED, everywhere, null, false, false, exact, 0);
        return collection.search(query, parallel).hits().getFirst();
    }
}
