package neuralcore.embedding;

import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/** What one client has waiting, and how much has been computed for it. */
final class ClientQueue {
    private final Map<TextKind, ArrayDeque<EmbedJob>> jobs = new EnumMap<>(TextKind.class);
    private int held;
    private long served;

    /**
     * @param served tokens it counts as having had, so that it does not overtake for what it did
     *     not ask while it was away
     */
    ClientQueue(long served) {
        this.served = served;
        for (TextKind kind : TextKind.values()) {
            jobs.put(kind, new ArrayDeque<>());
        }
    }

    long served() {
        return served;
    }

    /** Texts it has waiting, tokenized or not. */
    int held() {
        return held;
    }

    void hold(int texts) {
        held += texts;
    }

    boolean waits(TextKind kind) {
        return !jobs(kind).isEmpty();
    }

    /** Tokens of the text to run next. */
    int longestOfFirst(TextKind kind) {
        return jobs(kind).getFirst().longestWaiting();
    }

    void add(EmbedJob job) {
        jobs(job.kind()).addLast(job);
    }

    /** Puts a job back whose texts wait again. */
    void addFirst(EmbedJob job) {
        if (!jobs(job.kind()).contains(job)) {
            jobs(job.kind()).addFirst(job);
        }
    }

    void remove(EmbedJob job) {
        jobs(job.kind()).remove(job);
    }

    /** Whether all it has waiting of a kind could join a batch. */
    boolean fitsWholly(TextKind kind, BatchDraft draft) {
        int texts = 0;
        for (EmbedJob job : jobs(kind)) {
            texts += job.waitingDistinct();
            if (texts > draft.room() || !job.waitsWithin(draft.shortest(), draft.longest())) {
                return false;
            }
        }
        return texts > 0;
    }

    /** Moves texts into a batch, earlier jobs first. Returns how many. */
    int fill(TextKind kind, BatchDraft draft) {
        int before = draft.room();
        int moved = 0;
        var next = jobs(kind).iterator();
        while (next.hasNext() && draft.room() > 0) {
            EmbedJob job = next.next();
            int waited = job.waitingTexts();
            job.fill(draft);
            moved += waited - job.waitingTexts();
            if (job.waitingDistinct() == 0) {
                next.remove();
            }
        }
        served += (long) (before - draft.room()) * draft.longest();
        held -= moved;
        return moved;
    }

    private ArrayDeque<EmbedJob> jobs(TextKind kind) {
        return Objects.requireNonNull(jobs.get(kind));
    }
}
