package neuralcore.vectors.hnsw;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;
import neuralcore.vectors.Metric;
import neuralcore.vectors.VectorRows;
import neuralcore.vectors.simd.KernelProvider;

/** An index, its vectors, and the truth to compare with. */
final class IndexFixture {
    final int dimension;
    final Metric metric;
    final VectorRows rows;
    final HnswIndex index;
    final Found found = new Found();

    IndexFixture(int dimension, Metric metric, HnswConfig config) {
        this.dimension = dimension;
        this.metric = metric;
        this.rows = new VectorRows(dimension, metric, KernelProvider.kernels(), true);
        this.index = new HnswIndex(rows, config);
    }

    /** Puts and adds all. */
    IndexFixture with(float[] vectors) {
        for (int row = 0; row < vectors.length / dimension; row++) {
            rows.put(row, vectors, row * dimension);
            index.add(row);
        }
        return this;
    }

    void put(int row, float[] vectors, int from) {
        rows.put(row, vectors, from * dimension);
        index.add(row);
    }

    List<Integer> search(float[] queries, int query, int k, int ef) {
        index.search(queries, query * dimension, k, ef, null, found);
        List<Integer> answer = new ArrayList<>();
        for (int i = 0; i < found.count(); i++) {
            answer.add(found.row(i));
        }
        return answer;
    }

    /** The k nearest of the rows 0 … {@code count} − 1 that are accepted. */
    List<Integer> truth(float[] queries, int query, int k, int count, IntPredicate accept) {
        record Scored(int row, double score) {}
        List<Scored> all = new ArrayList<>();
        for (int row = 0; row < count; row++) {
            if (accept.test(row)) {
                float[] vector = rows.snapshot().get(row);
                all.add(new Scored(row, score(queries, query * dimension, vector)));
            }
        }
        Comparator<Scored> byScore = Comparator.comparingDouble(Scored::score);
        all.sort(metric.higherIsNearer() ? byScore.reversed() : byScore);
        return all.stream().limit(k).map(Scored::row).toList();
    }

    double score(float[] queries, int offset, float[] vector) {
        double dot = 0;
        double squared = 0;
        double a = 0;
        double b = 0;
        for (int i = 0; i < dimension; i++) {
            double x = queries[offset + i];
            double y = vector[i];
            dot += x * y;
            squared += (x - y) * (x - y);
            a += x * x;
            b += y * y;
        }
        return switch (metric) {
            case COSINE -> a == 0 || b == 0 ? 0 : dot / Math.sqrt(a * b);
            case DOT_PRODUCT -> dot;
            case SQUARED_EUCLIDEAN -> squared;
            case EUCLIDEAN -> Math.sqrt(squared);
        };
    }

    /** The share of the true neighbours that were found. */
    double recall(float[] queries, int k, int ef, int count) {
        int hits = 0;
        int wanted = 0;
        for (int query = 0; query < queries.length / dimension; query++) {
            Set<Integer> truth = new HashSet<>(truth(queries, query, k, count, index::contains));
            wanted += truth.size();
            for (int row : search(queries, query, k, ef)) {
                hits += truth.contains(row) ? 1 : 0;
            }
        }
        return (double) hits / wanted;
    }
}
