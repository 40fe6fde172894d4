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

    private final BatchPlanner planner;
    private final int first;
    private final boolean single;
    private int width;
    private final List<int[]> texts = new ArrayList<>();
    private final List<List<Batch.Part>> receivers = new ArrayList<>();
    private final Map<Ids, List<Batch.Part>> known = new HashMap<>();

    /**
     * @param first tokens of the text that the batch begins with
     * @param single whether it is for one text only
     */
    BatchDraft(BatchPlanner planner, int first, boolean single) {
        this.single = single;
        this.planner = planner;
        this.first = first;
    }

    int first() {
        return first;
    }

    int shortest() {
        return planner.shortest(first);
    }

    int longest() {
        return planner.longest(first);
    }

    /** Whether it is for one text only. */
    boolean single() {
        return single;
    }

    int texts() {
        return texts.size();
    }

    int width() {
        return width;
    }

    /** Whether so many more texts, the longest of {@code length} tokens, would fit. */
    boolean hasRoom(int more, int length) {
        return single
                ? texts.size() + more <= 1
                : planner.fits(texts.size() + more, Math.max(width, length));
    }

    /** Takes a text, unless the batch is full and has none equal to it. */
    boolean offer(int[] ids, Batch.Part part) {
        List<Batch.Part> equal = known.get(new Ids(ids));
        if (equal != null) {
            equal.add(part);
            return true;
        }
        if (!hasRoom(1, ids.length)) {
            return false;
        }
        List<Batch.Part> parts = new ArrayList<>(List.of(part));
        known.put(new Ids(ids), parts);
        receivers.add(parts);
        texts.add(ids);
        width = Math.max(width, ids.length);
        return true;
    }

    Batch build(long id, String worker) {
        return new Batch(id, worker, TokenBatch.of(texts), receivers);
    }
}
