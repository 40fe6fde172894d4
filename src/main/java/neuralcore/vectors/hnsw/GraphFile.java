package neuralcore.vectors.hnsw;

import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import neuralcore.vectors.VectorRows;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * A graph as bytes, little-endian, in the checksummed blocks of {@link BlockWriter}: a head, then
 * for each row what hangs on its number. {@code docs/vectors.md} has the layout.
 *
 * <p>Nothing that is read is believed: counts are compared with what the rows allow before memory
 * is taken for them, and links must lead to nodes of their level.
 */
final class GraphFile {
    private static final long MAGIC = 0x4853_4e57_4752_4e43L; // "CNRGWNSH"
    private static final int VERSION = 1;

    /** In place of a state, for a row that hangs on a node. */
    private static final int TWIN = 127;

    private static final int NODE = -1;
    private static final int REMOVED_NODE = -2;

    private GraphFile() {}

    /** Nobody may change the graph meanwhile. */
    static void write(
            Graph graph, HnswConfig config, int dimension, int live, WritableByteChannel channel)
            throws IOException {
        BlockWriter out = new BlockWriter(channel);
        int rows = graph.lastKnown() + 1;
        out.writeLong(MAGIC);
        out.writeInt(VERSION);
        out.writeInt(dimension);
        out.writeInt(config.m());
        out.writeInt(config.m0());
        out.writeInt(config.efConstruction());
        out.writeInt(config.efSearch());
        out.writeLong(config.seed());
        out.writeInt(config.traversal().ordinal());
        out.writeInt(rows);
        out.writeInt(live);
        out.writeLong(graph.entry());
        out.flush();
        int[] links = new int[graph.m0];
        float[] distances = new float[graph.m0];
        for (int row = 0; row < rows; row++) {
            if (!graph.isKnown(row)) {
                out.writeInt(0);
            } else if (graph.isTwin(row)) {
                out.writeInt(TWIN);
                out.writeInt(graph.nodeOf(row));
            } else {
                int level = graph.level(row);
                out.writeInt(graph.isLive(row) ? level + 1 : -(level + 1));
                for (int at = 0; at <= level; at++) {
                    int length = graph.copyLinks(row, at, links);
                    out.writeInt(length);
                    out.writeInts(links, length);
                    if (at == 0) {
                        graph.copyDistances(row, distances, length);
                        out.writeFloats(distances, length);
                    }
                }
            }
        }
        out.flush();
    }

    /** What a file held. */
    record Read(Graph graph, HnswConfig config, int live) {}

    static Read read(ReadableByteChannel channel, VectorRows vectors) throws IOException {
        BlockReader in = new BlockReader(channel);
        if (in.readLong() != MAGIC) {
            throw in.damaged("does not begin as one");
        }
        int version = in.readInt();
        if (version != VERSION) {
            throw new NeuralCoreException(
                    ErrorCode.VERSION_MISMATCH,
                    "The HNSW graph has format %d; this version reads %d."
                            .formatted(version, VERSION));
        }
        int dimension = in.readInt();
        if (dimension != vectors.dimension()) {
            throw in.damaged(
                    "is for dimension %d, not %d".formatted(dimension, vectors.dimension()));
        }
        HnswConfig config = config(in);
        int rows = in.readInt();
        int live = in.readInt();
        if (rows < 0 || rows > vectors.snapshot().capacity() || live < 0 || live > rows) {
            throw in.damaged(
                    "has %d rows for %d vectors".formatted(rows, vectors.snapshot().capacity()));
        }
        long entry = in.readLong();
        Graph graph = new Graph(config.m(), config.m0());
        graph.reserve(rows);
        int[] nodes = new int[rows];
        int[] links = new int[graph.m0];
        float[] distances = new float[graph.m0];
        for (int row = 0; row < rows; row++) {
            nodes[row] = readRow(in, graph, row, rows, links, distances);
        }
        for (int row = 0; row < rows; row++) {
            if (nodes[row] >= 0 && !graph.hang(row, nodes[row])) {
                throw in.damaged("hangs row %d on %d".formatted(row, nodes[row]));
            }
        }
        for (int row = 0; row < rows; row++) {
            if (nodes[row] == REMOVED_NODE) {
                graph.kill(row);
                if (!graph.isLinkable(row)) {
                    throw in.damaged("keeps row %d without need".formatted(row));
                }
            }
        }
        check(in, graph, rows, live);
        begin(in, graph, rows, entry);
        return new Read(graph, config, live);
    }

    private static HnswConfig config(BlockReader in) throws IOException {
        int m = in.readInt();
        int m0 = in.readInt();
        int efConstruction = in.readInt();
        int efSearch = in.readInt();
        long seed = in.readLong();
        int traversal = in.readInt();
        if (traversal < 0 || traversal >= Traversal.values().length) {
            throw in.damaged("names no traversal");
        }
        return new HnswConfig(m, m0, efConstruction, efSearch, seed, Traversal.values()[traversal]);
    }

    /** Answers the node that the row hangs on, or what else it is. */
    private static int readRow(
            BlockReader in, Graph graph, int row, int rows, int[] links, float[] distances)
            throws IOException {
        int state = in.readInt();
        if (state == 0) {
            return NODE;
        }
        if (state == TWIN) {
            int node = in.readInt();
            if (node < 0 || node >= rows) {
                throw in.damaged("hangs row %d on %d".formatted(row, node));
            }
            return node;
        }
        int level = Math.abs(state) - 1;
        if (level > HnswIndex.MAX_LEVEL) {
            throw in.damaged("puts row %d on level %d".formatted(row, level));
        }
        graph.create(row, level);
        for (int at = 0; at <= level; at++) {
            int length = in.readInt();
            if (length < 0 || length > graph.limit(at)) {
                throw in.damaged("gives row %d %d links".formatted(row, length));
            }
            in.readInts(links, length);
            for (int i = 0; i < length; i++) {
                if (links[i] < 0 || links[i] >= rows) {
                    throw in.damaged("links row %d with %d".formatted(row, links[i]));
                }
            }
            if (at == 0) {
                in.readFloats(distances, length);
            }
            graph.setLinks(row, at, links, distances, length);
        }
        return state < 0 ? REMOVED_NODE : NODE;
    }

    private static void check(BlockReader in, Graph graph, int rows, int live) {
        int[] links = new int[graph.m0];
        int found = 0;
        for (int row = 0; row < rows; row++) {
            found += graph.isLive(row) ? 1 : 0;
            for (int at = 0; at <= graph.level(row); at++) {
                int length = graph.copyLinks(row, at, links);
                for (int i = 0; i < length; i++) {
                    if (graph.level(links[i]) < at) {
                        throw in.damaged("links row %d with %d".formatted(row, links[i]));
                    }
                }
            }
        }
        if (found != live) {
            throw in.damaged("holds %d rows and claims %d".formatted(found, live));
        }
    }

    private static void begin(BlockReader in, Graph graph, int rows, long entry) {
        if (entry < 0) {
            return;
        }
        int row = (int) entry;
        int level = (int) (entry >>> 32);
        if (row < 0 || row >= rows || graph.level(row) != level) {
            throw in.damaged("begins at row %d, level %d".formatted(row, level));
        }
        graph.entry(row, level);
    }
}
