package neuralcore.embedding;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A batch being filled. Equal texts take one place, whoever they are from. */
final class BatchDraft {

    /** Token ids as a key: equal if their content is. */
    record Ids(int[] values) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Ids ids && Arrays.equals(values, ids.values);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(values);
        }
    }

    private final int longest;
    private final int shortest;
    private final int places;
    private final List<int[]> texts = new ArrayList<>();
    private final List<List<Batch.Part>> receivers = new ArrayList<>();
    private final Map<Ids, List<Batch.Part>> known = new HashMap<>();

    BatchDraft(BatchPlanner planner, int longest) {
        this.longest = longest;
        this.shortest = planner.shortest(longest);
        this.places = planner.places(longest);
    }

    int longest() {
        return longest;
    }

    int shortest() {
        return shortest;
    }

    int room() {
        return places - texts.size();
    }

    /** Takes a text, unless the batch is full and has none equal to it. */
    boolean offer(int[] ids, Batch.Part part) {
        List<Batch.Part> equal = known.get(new Ids(ids));
        if (equal != null) {
            equal.add(part);
            return true;
        }
        if (room() == 0) {
            return false;
        }
        List<Batch.Part> parts = new ArrayList<>(List.of(part));
        known.put(new Ids(ids), parts);
        receivers.add(parts);
        texts.add(ids);
        return true;
    }

    Batch build(long id, String worker) {
        return new Batch(id, worker, TokenBatch.of(texts), receivers);
    }
}
