import io.github.jbellis.jvector.graph.GraphIndexBuilder;
import io.github.jbellis.jvector.graph.GraphSearcher;
import io.github.jbellis.jvector.graph.ImmutableGraphIndex;
import io.github.jbellis.jvector.graph.ListRandomAccessVectorValues;
import io.github.jbellis.jvector.graph.SearchResult;
import io.github.jbellis.jvector.graph.similarity.BuildScoreProvider;
import io.github.jbellis.jvector.graph.similarity.DefaultSearchScoreProvider;
import io.github.jbellis.jvector.util.Bits;
import io.github.jbellis.jvector.vector.VectorSimilarityFunction;
import io.github.jbellis.jvector.vector.VectorizationProvider;
import io.github.jbellis.jvector.vector.types.VectorFloat;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ForkJoinPool;

/** JVector behind the line protocol of Contenders.java; unit vectors, so by the dot product. */
final class JVectorContender {
    private static final VectorSimilarityFunction SIMILARITY = VectorSimilarityFunction.DOT_PRODUCT;

    private static List<VectorFloat<?>> data = List.of();
    private static List<VectorFloat<?>> queries = List.of();
    private static int dimension;
    private static ImmutableGraphIndex graph;

    static void main() throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            String answer =
                    switch (words[0]) {
                        case "data" -> {
                            dimension = Integer.parseInt(words[3]);
                            data = vectors(words[1], Integer.parseInt(words[2]));
                            yield "ok";
                        }
                        case "query" -> {
                            queries = vectors(words[1], Integer.parseInt(words[2]));
                            yield "ok";
                        }
                        case "build" ->
                                build(
                                        Integer.parseInt(words[2]),
                                        Integer.parseInt(words[3]),
                                        Integer.parseInt(words[4]));
                        case "search" ->
                                search(
                                        Integer.parseInt(words[2]),
                                        Integer.parseInt(words[3]),
                                        words[4]);
                        default -> throw new IllegalArgumentException(line);
                    };
            answers.println(answer);
            answers.flush();
        }
    }

    private static String build(int m, int ef, int threads) throws Exception {
        var values = new ListRandomAccessVectorValues(data, dimension);
        var scores = BuildScoreProvider.randomAccessScoreProvider(values, SIMILARITY);
        long began = System.nanoTime();
        Duration used = processorTime();
        try (ForkJoinPool pool = new ForkJoinPool(threads);
                GraphIndexBuilder builder =
                        new GraphIndexBuilder(
                                scores, dimension, List.of(2 * m, m), ef, 1.2f, 1.2f, true, true,
                                pool, pool)) {
            graph = builder.build(values);
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        return seconds + " " + processorTime().minus(used).toNanos() / 1e9;
    }

    private static Duration processorTime() {
        return ProcessHandle.current().info().totalCpuDuration().orElseThrow();
    }

    private static String search(int k, int ef, String out) throws Exception {
        var values = new ListRandomAccessVectorValues(data, dimension);
        ByteBuffer found =
                ByteBuffer.allocate(4 * k * queries.size()).order(ByteOrder.LITTLE_ENDIAN);
        long began = System.nanoTime();
        try (GraphSearcher searcher = new GraphSearcher(graph)) {
            for (VectorFloat<?> query : queries) {
                var scores = DefaultSearchScoreProvider.exact(query, SIMILARITY, values);
                SearchResult result = searcher.search(scores, k, ef, 0f, 0f, Bits.ALL);
                for (SearchResult.NodeScore node : result.getNodes()) {
                    found.putInt(node.node);
                }
            }
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        Files.write(Path.of(out), found.array());
        return String.valueOf(seconds);
    }

    private static List<VectorFloat<?>> vectors(String file, int count) throws Exception {
        var support = VectorizationProvider.getInstance().getVectorTypeSupport();
        List<VectorFloat<?>> vectors = new ArrayList<>(count);
        try (FileChannel channel = FileChannel.open(Path.of(file))) {
            var floats =
                    channel.map(FileChannel.MapMode.READ_ONLY, 0, 4L * count * dimension)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .asFloatBuffer();
            for (int i = 0; i < count; i++) {
                float[] row = new float[dimension];
                floats.get(row);
                vectors.add(support.createFloatVector(row));
            }
        }
        return vectors;
    }
}
