package neuralcore.vectors;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToLongFunction;
import neuralcore.vectors.simd.Kernels;
import org.jspecify.annotations.Nullable;

/** Keeps the k nearest rows of each needle, as one task of a {@link Scan} sees them. */
final class TopKSink implements Scan.Sink {
    /** The order of a row that is not to be found. */
    static final long ABSENT = -1;

    private final Kernels kernels;
    private final @Nullable TopK[] nearest;

    /** What a row must reach, for each needle; kept apart from the heaps to be read in one go. */
    private final float[] thresholds;

    private final int k;
    private final IntToLongFunction order;

    /**
     * @param needles of all tasks together
     * @param k to be kept of each, at least 1
     * @param order decides between equally near rows, lower first; {@link #ABSENT} leaves a row out
     */
    TopKSink(Kernels kernels, int needles, int k, IntToLongFunction order) {
        this.kernels = kernels;
        this.nearest = new TopK[needles];
        this.thresholds = new float[needles];
        Arrays.fill(thresholds, Float.NEGATIVE_INFINITY);
        this.k = k;
        this.order = order;
    }

    @Override
    public void take(
            int firstNeedle,
            int needles,
            int firstRow,
            int rows,
            float[] values,
            int needleStride,
            int rowStride) {
        if (needleStride == 1) {
            for (int r = 0; r < rows; r++) {
                if (!kernels.anyAtLeast(values, r * rowStride, thresholds, firstNeedle, needles)) {
                    continue;
                }
                for (int j = 0; j < needles; j++) {
                    float near = values[r * rowStride + j];
                    if (near >= thresholds[firstNeedle + j]) {
                        offer(firstNeedle + j, near, firstRow + r);
                    }
                }
            }
        } else {
            for (int j = 0; j < needles; j++) {
                for (int r = 0; r < rows; r++) {
                    float near = values[j * needleStride + r * rowStride];
                    if (near >= thresholds[firstNeedle + j]) {
                        offer(firstNeedle + j, near, firstRow + r);
                    }
                }
            }
        }
    }

    private void offer(int needle, float near, int row) {
        long rank = order.applyAsLong(row);
        if (rank == ABSENT) {
            return;
        }
        TopK top = nearest[needle];
        if (top == null) {
            top = new TopK(k);
            nearest[needle] = top;
        }
        top.offer(near, rank, row);
        thresholds[needle] = top.threshold();
    }

    /** What all tasks together have found: for each needle, nearest first. */
    static List<List<Neighbour>> merge(
            Iterable<TopKSink> sinks, int needles, int k, Metric metric) {
        List<List<Neighbour>> found = new ArrayList<>(needles);
        for (int needle = 0; needle < needles; needle++) {
            TopK all = new TopK(k);
            for (TopKSink sink : sinks) {
                TopK part = sink.nearest[needle];
                if (part != null) {
                    all.offerAll(part);
                }
            }
            all.sort();
            List<Neighbour> neighbours = new ArrayList<>(all.size());
            for (int rank = 0; rank < all.size(); rank++) {
                neighbours.add(new Neighbour(all.row(rank), metric.score(all.nearness(rank))));
            }
            found.add(neighbours);
        }
        return found;
    }
}
