package neuralcore.vectors.hnsw;

/**
 * How a graph is built.
 *
 * @param m neighbours that a new node is linked with, a level
 * @param m0 neighbours that a node may have on the lowest level; elsewhere {@code m}
 * @param efConstruction candidates looked at for a new node's neighbours
 * @param efSearch candidates held by a search that names no other number
 * @param seed of the nodes' levels; with one thread, equal seeds and rows make equal graphs
 * @param traversal with what it is walked
 */
public record HnswConfig(
        int m, int m0, int efConstruction, int efSearch, long seed, Traversal traversal) {
    public static final int MAX_M = 256;
    public static final int MAX_EF = 1 << 16;

    public HnswConfig {
        check("m", m, 2, MAX_M);
        check("m0", m0, m, 2 * MAX_M);
        check("ef_construction", efConstruction, 1, MAX_EF);
        check("ef_search", efSearch, 1, MAX_EF);
    }

    /** m 16, m0 32, ef_construction 200, ef_search 50, int8 traversal. */
    public static HnswConfig defaults() {
        return new HnswConfig(16, 32, 200, 50, 42, Traversal.INT8);
    }

    public HnswConfig with(Traversal other) {
        return new HnswConfig(m, m0, efConstruction, efSearch, seed, other);
    }

    private static void check(String name, int value, int least, int most) {
        if (value < least || value > most) {
            throw neuralcore.wire.NeuralCoreException.invalid(
                    "'%s' is %d; it must be %d to %d.".formatted(name, value, least, most));
        }
    }
}
