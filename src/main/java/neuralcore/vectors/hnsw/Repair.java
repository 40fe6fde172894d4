package neuralcore.vectors.hnsw;

/**
 * Takes removed nodes out of all lists. A node that was linked with one gets its list chosen anew,
 * from the links it still has and the living neighbours of the removed: they are what the removed
 * node led to. A list does not become shorter than half its limit while there are candidates.
 */
final class Repair {
    private final Graph graph;
    private final RowScorer scorer;
    private final Linker linker;
    private final int[] list;
    private final int[] behind;
    private final float[] distances;
    private int[] candidates = new int[256];
    private float[] candidateDistances = new float[256];
    private int count;

    Repair(Graph graph, RowScorer scorer, Linker linker) {
        this.graph = graph;
        this.scorer = scorer;
        this.linker = linker;
        this.list = new int[graph.m0];
        this.behind = new int[graph.m0];
        this.distances = new float[graph.m0];
    }

    /** Nobody else may write to the graph meanwhile. */
    void run() {
        scorer.at = scorer.rows.snapshot();
        int capacity = graph.capacity();
        int best = -1;
        int bestLevel = -1;
        for (int row = 0; row < capacity; row++) {
            if (graph.isLinkable(row)) {
                int top = graph.level(row);
                for (int level = 0; level <= top; level++) {
                    repair(row, level);
                }
                if (top > bestLevel) {
                    best = row;
                    bestLevel = top;
                }
            }
        }
        if (best < 0) {
            graph.noEntry();
        } else if (!graph.isLinkable(graph.entryRow())) {
            graph.entry(best, bestLevel);
        }
    }

    private void repair(int row, int level) {
        int length = graph.copyLinks(row, level, list);
        if (!holdsDead(length)) {
            return;
        }
        if (level == 0) {
            graph.copyDistances(row, distances, length);
        }
        linker.clear();
        count = 0;
        for (int i = 0; i < length; i++) {
            if (graph.isLinkable(list[i])) {
                linker.offer(list[i], level == 0 ? distances[i] : scorer.between(row, list[i]));
            } else {
                collectBehind(list[i], level, row, length);
            }
        }
        for (int i = 0; i < count; i++) {
            linker.offer(candidates[i], candidateDistances[i]);
        }
        int limit = graph.limit(level);
        linker.choose(limit, Math.max(length, limit / 2));
        synchronized (graph.lock(row)) {
            linker.write(row, level);
        }
        linkBack(row, level, length);
    }

    /** New neighbours link back, as they would with a new node. */
    private void linkBack(int row, int level, int length) {
        int fresh = 0;
        for (int i = 0; i < linker.chosenCount(); i++) {
            if (!holds(list, length, linker.chosen(i))) {
                behind[fresh] = linker.chosen(i);
                distances[fresh++] = linker.chosenDistance(i);
            }
        }
        for (int i = 0; i < fresh; i++) {
            linker.linkBack(behind[i], level, row, distances[i]);
        }
    }

    private boolean holdsDead(int length) {
        for (int i = 0; i < length; i++) {
            if (!graph.isLinkable(list[i])) {
                return true;
            }
        }
        return false;
    }

    private void collectBehind(int removed, int level, int row, int length) {
        int behindLength = graph.copyLinks(removed, level, behind);
        for (int i = 0; i < behindLength; i++) {
            int candidate = behind[i];
            if (candidate != row
                    && graph.isLinkable(candidate)
                    && graph.level(candidate) >= level
                    && !holds(list, length, candidate)
                    && !holds(candidates, count, candidate)) {
                if (count == candidates.length) {
                    candidates = java.util.Arrays.copyOf(candidates, 2 * count);
                    candidateDistances = java.util.Arrays.copyOf(candidateDistances, 2 * count);
                }
                candidates[count] = candidate;
                candidateDistances[count++] = scorer.between(row, candidate);
            }
        }
    }

    private static boolean holds(int[] rows, int length, int row) {
        for (int i = 0; i < length; i++) {
            if (rows[i] == row) {
                return true;
            }
        }
        return false;
    }
}
