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

    /** Whether the text to run next is to be a batch of its own. */
    boolean firstIsAlone(TextKind kind) {
        return jobs(kind).getFirst().alone();
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
        int longest = 0;
        for (EmbedJob job : jobs(kind)) {
            texts += job.waitingDistinct();
            longest = Math.max(longest, job.longestWaiting());
            if (job.alone() || !job.fitsWholly(draft) || !draft.hasRoom(texts, longest)) {
                return false;
            }
        }
        return texts > 0;
    }

    /**
     * Moves texts into a batch, earlier jobs first: those not longer than the batch's first, then
     * whole jobs that make it a little wider. Returns how many of the requests' texts.
     */
    int fill(TextKind kind, BatchDraft draft) {
        int before = draft.texts();
        int moved = 0;
        for (EmbedJob job : jobs(kind)) {
            if (job.alone() == draft.single()) {
                moved += fill(job, draft, draft.first());
            }
            if (!draft.hasRoom(1, 1)) {
                break;
            }
        }
        for (EmbedJob job : jobs(kind)) {
            if (job.alone() == draft.single() && job.fitsWholly(draft)) {
                moved += fill(job, draft, draft.longest());
            }
        }
        jobs(kind).removeIf(job -> job.waitingDistinct() == 0);
        served += (long) (draft.texts() - before) * draft.width();
        held -= moved;
        return moved;
    }

    private static int fill(EmbedJob job, BatchDraft draft, int longest) {
        int waited = job.waitingTexts();
        job.fill(draft, longest);
        return waited - job.waitingTexts();
    }

    private ArrayDeque<EmbedJob> jobs(TextKind kind) {
        return Objects.requireNonNull(jobs.get(kind));
    }
}
