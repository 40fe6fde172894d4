package neuralcore.embedding;

import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One request's texts on their way: equal ones folded into one, those that wait sorted by length,
 * the vectors that are there already in the reply. Belongs to an {@link EmbeddingScheduler}.
 */
final class EmbedJob {

    /** A text, its places in the reply, and what its vector is to be kept under. */
    private record Text(int[] ids, List<Integer> places, VectorCache.@Nullable Key key) {}

    private final long id;
    private final String client;
    private final TextKind kind;
    private final int texts;
    private final boolean alone;
    private final VectorForm form;

    private final List<Text> distinct = new ArrayList<>();
    private final NavigableMap<Integer, ArrayDeque<Integer>> waiting = new TreeMap<>();
    private @Nullable Tensor reply;
    private int waitingDistinct;
    private int waitingTexts;
    private int unfinished;
    private long tokens;
    private boolean over;

    EmbedJob(long id, String client, TextKind kind, int texts, boolean alone, VectorForm form) {
        this.alone = alone;
        this.form = form;
        this.id = id;
        this.client = client;
        this.kind = kind;
        this.texts = texts;
        this.waitingTexts = texts;
    }

    long id() {
        return id;
    }

    String client() {
        return client;
    }

    TextKind kind() {
        return kind;
    }

    int texts() {
        return texts;
    }

    /** Whether each of its texts is a batch of its own. */
    boolean alone() {
        return alone;
    }

    /** Texts that no worker has yet, tokenized or not. */
    int waitingTexts() {
        return waitingTexts;
    }

    /** Texts of different content that no worker has yet. */
    int waitingDistinct() {
        return waitingDistinct;
    }

    boolean over() {
        return over;
    }

    /** Nothing of it is wanted any more. */
    void end() {
        over = true;
    }

    /** Its texts have been tokenized and can be run; those that are known are in the reply. */
    void tokenized(PreparedTexts prepared) {
        if (prepared.count() != texts || reply != null) {
            throw new IllegalStateException(
                    "job %d of %d texts got ids of %d".formatted(id, texts, prepared.count()));
        }
        reply = Tensor.ofFloats(texts, form.dimensions());
        Map<BatchDraft.Ids, Text> seen = new HashMap<>();
        for (int place = 0; place < texts; place++) {
            VectorCache.Entry entry = prepared.known(place);
            if (entry != null) {
                tokens += entry.tokens();
                form.write(FloatBuffer.wrap(entry.vector()), 0, reply.floats(), at(place));
                continue;
            }
            int[] text = prepared.ids(place);
            VectorCache.Key name = prepared.key(place);
            tokens += text.length;
            seen.computeIfAbsent(
                            new BatchDraft.Ids(text),
                            key -> {
                                Text first = new Text(text, new ArrayList<>(), name);
                                distinct.add(first);
                                return first;
                            })
                    .places()
                    .add(place);
        }
        unfinished = distinct.size();
        waitingTexts = 0;
        for (int text = 0; text < distinct.size(); text++) {
            putBack(text);
        }
    }

    /** A text waits (again). */
    void putBack(int text) {
        Text waits = distinct.get(text);
        waiting.computeIfAbsent(waits.ids().length, length -> new ArrayDeque<>()).add(text);
        waitingDistinct++;
        waitingTexts += waits.places().size();
    }

    /** Tokens of its longest text that waits; 0 if none does. */
    int longestWaiting() {
        return waiting.isEmpty() ? 0 : waiting.lastKey();
    }

    /** Whether all its texts that wait could join a batch. */
    boolean fitsWholly(BatchDraft draft) {
        return !waiting.isEmpty()
                && waiting.firstKey() >= draft.shortest()
                && waiting.lastKey() <= draft.longest()
                && draft.hasRoom(waitingDistinct, waiting.lastKey());
    }

    /**
     * Moves texts of at most {@code longest} tokens into a batch, longest first, while they fit.
     */
    void fill(BatchDraft draft, int longest) {
        if (longest < draft.shortest()) {
            return;
        }
        var fitting =
                waiting.subMap(draft.shortest(), true, longest, true)
                        .descendingMap()
                        .values()
                        .iterator();
        while (fitting.hasNext()) {
            ArrayDeque<Integer> bucket = fitting.next();
            while (!bucket.isEmpty()) {
                int text = bucket.getFirst();
                if (!draft.offer(distinct.get(text).ids(), new Batch.Part(this, text))) {
                    return;
                }
                bucket.removeFirst();
                waitingDistinct--;
                waitingTexts -= distinct.get(text).places().size();
            }
            fitting.remove();
        }
    }

    /** A text's vector has come. Returns whether it was the last one. */
    boolean finish(int text, FloatBuffer vectors, int from, int dimension, VectorCache cache) {
        FloatBuffer target = reply().floats();
        Text done = distinct.get(text);
        for (int place : done.places()) {
            form.write(vectors, from, target, at(place));
        }
        if (done.key() != null) {
            float[] vector = new float[dimension];
            vectors.get(from, vector);
            cache.put(done.key(), new VectorCache.Entry(vector, done.ids().length));
        }
        unfinished--;
        return unfinished == 0;
    }

    /** Whether all its vectors are there. */
    boolean finished() {
        return unfinished == 0;
    }

    private int at(int place) {
        return place * form.dimensions();
    }

    /** The vectors in the order of the request's texts. */
    Tensor reply() {
        if (reply == null) {
            throw new IllegalStateException("job " + id + " has not been tokenized");
        }
        return reply;
    }

    /** Tokens of all its texts. */
    long tokens() {
        return tokens;
    }
}
