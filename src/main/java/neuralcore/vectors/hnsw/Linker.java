package neuralcore.vectors.hnsw;

import java.util.Arrays;

/**
 * Chooses which nodes a node is linked with: of the candidates, nearest first, each that is nearer
 * to the node than to any chosen before (the heuristic of the paper's section 4). So links lead in
 * different directions, and clusters stay connected. If that leaves few, the nearest of those left
 * out are added up to a floor.
 *
 * <p>Has room for one choice; one for each thread.
 */
final class Linker {
    /** A node that hardly any list holds is not taken out of one. */
    private static final int FEW = 2;

    private final Graph graph;
    private final RowScorer scorer;

    // Candidates, sorted by distance.
    private int[] rows = new int[64];
    private float[] distances = new float[64];
    private int count;

    // The choice.
    private int[] chosen = new int[64];
    private float[] chosenDistances = new float[64];
    private int chosenCount;
    private boolean[] taken = new boolean[64];

    Linker(Graph graph, RowScorer scorer) {
        this.graph = graph;
        this.scorer = scorer;
    }

    void clear() {
        count = 0;
    }

    int candidates() {
        return count;
    }

    /** Adds a candidate in its place; one that is there already is not added again. */
    void offer(int row, float distance) {
        if (count == rows.length) {
            grow(2 * count);
        }
        int at = count++;
        while (at > 0 && distances[at - 1] > distance) {
            rows[at] = rows[at - 1];
            distances[at] = distances[at - 1];
            at--;
        }
        rows[at] = row;
        distances[at] = distance;
    }

    private void grow(int size) {
        rows = Arrays.copyOf(rows, size);
        distances = Arrays.copyOf(distances, size);
        chosen = Arrays.copyOf(chosen, size);
        chosenDistances = Arrays.copyOf(chosenDistances, size);
        taken = Arrays.copyOf(taken, size);
    }

    /**
     * Chooses from the candidates.
     *
     * @param limit of links
     * @param floor to fill up to
     */
    void choose(int limit, int floor) {
        chosenCount = 0;
        for (int i = 0; i < count && chosenCount < limit; i++) {
            taken[i] = isDiverse(rows[i], distances[i]);
            if (taken[i]) {
                take(i);
            }
        }
        // The loop above ends early only with as many as the limit, so the rest has been looked at.
        for (int i = 0; i < count && chosenCount < Math.min(floor, limit); i++) {
            if (!taken[i]) {
                taken[i] = true;
                take(i);
            }
        }
    }

    private boolean isDiverse(int row, float distance) {
        for (int i = 0; i < chosenCount; i++) {
            if (scorer.between(chosen[i], row) <= distance) {
                return false;
            }
        }
        return true;
    }

    private void take(int i) {
        chosen[chosenCount] = rows[i];
        chosenDistances[chosenCount++] = distances[i];
    }

    /** Makes the choice a node's list; hold its lock. */
    void write(int row, int level) {
        graph.setLinks(row, level, chosen, chosenDistances, chosenCount);
    }

    int chosenCount() {
        return chosenCount;
    }

    int chosen(int i) {
        return chosen[i];
    }

    float chosenDistance(int i) {
        return chosenDistances[i];
    }

    /** Takes the nodes in a walk's pool as candidates, but for removed ones and {@code self}. */
    void offerAll(Pool pool, int self) {
        clear();
        if (rows.length < pool.size()) {
            grow(pool.size());
        }
        for (int i = 0; i < pool.size(); i++) {
            int row = pool.row(i);
            if (row != self && graph.isLinkable(row)) {
                rows[count] = row;
                distances[count++] = pool.distance(i);
            }
        }
    }

    /**
     * Links a node with a new one. If its list is full, the list is chosen anew from its links and
     * the new one; a node that hardly any other list holds stays as long as there is room.
     */
    void linkBack(int row, int level, int newRow, float distance) {
        synchronized (graph.lock(row)) {
            if (!graph.isLinkable(row)
                    || graph.holds(row, level, newRow)
                    || graph.append(row, level, newRow, distance)) {
                return;
            }
            int limit = graph.limit(level);
            clear();
            if (rows.length <= limit) {
                grow(limit + 1);
            }
            int length = graph.copyLinks(row, level, chosen);
            if (level == 0) {
                graph.copyDistances(row, chosenDistances, length);
            }
            for (int i = 0; i < length; i++) {
                int linked = chosen[i];
                offer(linked, level == 0 ? chosenDistances[i] : scorer.between(row, linked));
            }
            offer(newRow, distance);
            choose(limit, 1);
            if (level == 0) {
                keepRare(limit);
            }
            write(row, level);
        }
    }

    private void keepRare(int limit) {
        for (int i = 0; i < count && chosenCount < limit; i++) {
            if (!taken[i] && graph.inDegree(rows[i]) < FEW) {
                taken[i] = true;
                take(i);
            }
        }
    }
}
