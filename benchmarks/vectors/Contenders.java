import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import neuralcore.vectors.Metric;
import neuralcore.vectors.Parallel;
import neuralcore.vectors.VectorRows;
import neuralcore.vectors.hnsw.Found;
import neuralcore.vectors.hnsw.HnswConfig;
import neuralcore.vectors.hnsw.HnswIndex;
import neuralcore.vectors.hnsw.Traversal;
import neuralcore.vectors.simd.KernelProvider;

/**
 * Our index, driven by the benchmark's Python over standard input: one command a line, one line of
 * answer each. So the JVM stays warm while its rivals have their turns.
 *
 * <pre>
 * data   FILE COUNT DIMENSION       float32 rows to index
 * query  FILE COUNT                 float32 rows to search for
 * build  NAME M EF THREADS FILE     NAME is int8 or float32; answers seconds, and the processor's;
 *                                   keeps the graph in FILE
 * load   NAME FILE                  answers seconds of the graph alone
 * search NAME K EF OUT              one thread; answers seconds, p50 and p99 in µs, rows compared;
 *                                   writes k int32 rows a query to OUT
 * bytes  NAME                       heap of rows, of links
 * </pre>
 */
final class Contenders {
    private static final int CHUNK = 4096;

    private static Path data = Path.of("");
    private static int rowCount;
    private static float[] queries = {};
    private static int dimension;
    private static final Map<String, HnswIndex> indexes = new TreeMap<>();

    static void main() throws IOException {
        // Whatever a library prints must not be taken for an answer.
        PrintStream answers = System.out;
        System.setOut(System.err);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            answers.println(answer(line.split(" ")));
            answers.flush();
        }
    }

    private static String answer(String[] words) throws IOException {
        return switch (words[0]) {
            case "data" -> {
                indexes.clear();
                dimension = Integer.parseInt(words[3]);
                data = Path.of(words[1]);
                rowCount = Integer.parseInt(words[2]);
                yield "ok";
            }
            case "query" -> {
                queries = floats(Path.of(words[1]), 0, Integer.parseInt(words[2]));
                yield "ok";
            }
            case "build" -> build(words);
            case "load" -> load(words);
            case "search" -> search(words);
            case "bytes" -> {
                HnswIndex index = indexes.get(words[1]);
                yield index.rows().heapBytes() + " " + index.heapBytes();
            }
            default -> throw new IllegalArgumentException(words[0]);
        };
    }

    /** The file's rows, read a chunk at a time, so that they are in memory once. */
    private static VectorRows rows(Traversal traversal) throws IOException {
        VectorRows rows =
                new VectorRows(
                        dimension,
                        Metric.COSINE,
                        KernelProvider.kernels(),
                        traversal == Traversal.INT8);
        for (int from = 0; from < rowCount; from += CHUNK) {
            int length = Math.min(CHUNK, rowCount - from);
            float[] chunk = floats(data, from, length);
            for (int row = 0; row < length; row++) {
                rows.put(from + row, chunk, row * dimension);
            }
        }
        return rows;
    }

    private static String build(String[] words) throws IOException {
        Traversal traversal = Traversal.valueOf(words[1].toUpperCase(Locale.ROOT));
        int m = Integer.parseInt(words[2]);
        HnswConfig config =
                new HnswConfig(m, 2 * m, Integer.parseInt(words[3]), 50, 42, traversal);
        int threads = Integer.parseInt(words[4]);
        long began = System.nanoTime();
        Duration used = processorTime();
        HnswIndex index = new HnswIndex(rows(traversal), config);
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            index.addAll(0, rowCount, new Parallel(pool, threads));
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        double processor = processorTime().minus(used).toNanos() / 1e9;
        indexes.put(words[1], index);
        try (FileChannel file =
                FileChannel.open(
                        Path.of(words[5]),
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.TRUNCATE_EXISTING)) {
            index.writeTo(file);
        }
        return seconds + " " + processor;
    }

    private static Duration processorTime() {
        return ProcessHandle.current().info().totalCpuDuration().orElseThrow();
    }

    private static String load(String[] words) throws IOException {
        VectorRows rows = rows(Traversal.valueOf(words[1].toUpperCase(Locale.ROOT)));
        long began = System.nanoTime();
        try (FileChannel file = FileChannel.open(Path.of(words[2]))) {
            indexes.put(words[1], HnswIndex.readFrom(file, rows));
        }
        return String.valueOf((System.nanoTime() - began) / 1e9);
    }

    private static String search(String[] words) throws IOException {
        HnswIndex index = indexes.get(words[1]);
        int k = Integer.parseInt(words[2]);
        int ef = Integer.parseInt(words[3]);
        int count = queries.length / dimension;
        int[] found = new int[count * k];
        long[] times = new long[count];
        long visited = 0;
        Found answer = new Found();
        long began = System.nanoTime();
        long last = began;
        for (int query = 0; query < count; query++) {
            index.search(queries, query * dimension, k, ef, null, answer);
            for (int i = 0; i < answer.count(); i++) {
                found[query * k + i] = answer.row(i);
            }
            visited += answer.visited();
            long now = System.nanoTime();
            times[query] = now - last;
            last = now;
        }
        write(words[4], found);
        Arrays.sort(times);
        return "%s %s %s %s"
                .formatted(
                        (last - began) / 1e9,
                        times[count / 2] / 1e3,
                        times[count * 99 / 100] / 1e3,
                        visited / count);
    }

    private static float[] floats(Path file, int from, int length) throws IOException {
        float[] values = new float[length * dimension];
        try (FileChannel channel = FileChannel.open(file)) {
            channel.map(FileChannel.MapMode.READ_ONLY, 4L * from * dimension, 4L * values.length)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .asFloatBuffer()
                    .get(values);
        }
        return values;
    }

    private static void write(String file, int[] values) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(values);
        Files.write(Path.of(file), bytes.array(), StandardOpenOption.CREATE);
    }
}
