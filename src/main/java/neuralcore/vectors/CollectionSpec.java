package neuralcore.vectors;

import java.util.LinkedHashMap;
import java.util.Map;
import neuralcore.vectors.hnsw.HnswConfig;
import neuralcore.vectors.hnsw.Traversal;
import neuralcore.vectors.store.Descriptor;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * What a collection is to be.
 *
 * @param durable whether it is kept on disk
 * @param coded whether vectors have int8 codes too, for faster search
 * @param graph how its graph is built, should it grow so large
 * @param metadata what its creator says of it, JSON values
 */
public record CollectionSpec(
        String name,
        int dimension,
        Metric metric,
        boolean durable,
        boolean coded,
        HnswConfig graph,
        Map<String, @Nullable Object> metadata) {

    public CollectionSpec(String name, int dimension, Metric metric, boolean durable) {
        this(name, dimension, metric, durable, true, HnswConfig.defaults(), Map.of());
    }

    /** Without codes, the graph is walked by the vectors themselves. */
    HnswConfig graphConfig() {
        return new HnswConfig(
                graph.m(),
                graph.m0(),
                graph.efConstruction(),
                graph.efSearch(),
                graph.seed(),
                coded ? Traversal.INT8 : Traversal.FLOAT32);
    }

    Descriptor describe(long number) {
        Map<String, @Nullable Object> options = new LinkedHashMap<>();
        options.put("int8", coded);
        options.put("metadata", metadata);
        options.put("m", graph.m());
        options.put("m0", graph.m0());
        options.put("ef_construction", graph.efConstruction());
        options.put("ef_search", graph.efSearch());
        options.put("seed", graph.seed());
        return new Descriptor(name, number, dimension, metric.wireName(), options);
    }

    static CollectionSpec of(Descriptor descriptor) {
        Params options = new Params(descriptor.options());
        Map<String, @Nullable Object> metadata = options.optionalObject("metadata");
        return new CollectionSpec(
                descriptor.name(),
                descriptor.dimension(),
                Metric.ofWireName(descriptor.metric()),
                true,
                options.bool("int8", true),
                graphConfig(options),
                metadata == null ? Map.of() : metadata);
    }

    /** The graph's settings among others; what is not said is as usual. */
    static HnswConfig graphConfig(Params params) {
        HnswConfig usual = HnswConfig.defaults();
        int m = params.integer("m", usual.m(), 2, HnswConfig.MAX_M);
        return new HnswConfig(
                m,
                params.integer("m0", 2 * m, m, 2 * HnswConfig.MAX_M),
                params.integer("ef_construction", usual.efConstruction(), 1, HnswConfig.MAX_EF),
                params.integer("ef_search", usual.efSearch(), 1, HnswConfig.MAX_EF),
                params.integer("seed", usual.seed()),
                usual.traversal());
    }
}
