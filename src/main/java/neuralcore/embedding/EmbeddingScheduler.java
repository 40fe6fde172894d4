package neuralcore.embedding;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import neuralcore.wire.ElementType;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The one queue of all texts to embed, and the one place that knows what each worker has to do.
 *
 * <p>A plain state machine: each method is an event and returns what is to be done about it. It has
 * no thread and no clock; one thread at a time may use it. A worker is a name and the tokens it
 * takes at a time, here or on another node.
 *
 * <h2>What runs next</h2>
 *
 * A worker with room gets a batch at once. <em>Queries go before documents</em>, but where both
 * wait each ninth batch is of documents. <em>Among clients the one that has had the fewest tokens
 * is next</em> (start-time fair queueing [1]): a client that comes back counts as having had what
 * the one served last had, so nobody saves up turns by being silent and nobody waits for more than
 * what runs already and one batch of each other client. Within a client the oldest request is next,
 * its longest texts first. The batch is filled with texts of similar length ({@link BatchPlanner})
 * of the same client, then with those of other clients whose whole backlog fits: many small
 * requests share a run, and nothing large rides on a small one and slows it.
 *
 * <p>Equal texts of a request, and of a batch, are computed once.
 *
 * <p>[1] P. Goyal, H. Vin, H. Cheng: Start-time Fair Queuing, SIGCOMM 1996.
 */
public final class EmbeddingScheduler {

    /** What is to be done after an event. */
    public sealed interface Effect {

        /** Have a batch run by its worker; {@link #finished} or {@link #failed} tells the end. */
        record Run(Batch batch) implements Effect {}

        /**
         * A request is answered.
         *
         * @param vectors texts × dimension
         * @param tokens of all its texts
         */
        record Completed(long request, Tensor vectors, long tokens) implements Effect {}

        /** A request has failed. */
        record Failed(long request, NeuralCoreException reason) implements Effect {}
    }

    private static final int QUERIES_IN_A_ROW = 8;
    private static final double RATE_MEMORY = 0.8;

    private static final class Worker {
        private final int capacity;
        private int used;

        private Worker(int capacity) {
            this.capacity = capacity;
        }
    }

    private final int dimension;
    private final BatchPlanner planner;
    private final int maxQueuedTexts;
    private final VectorCache cache;

    private final Map<String, Worker> workers = new LinkedHashMap<>();
    private final Map<String, ClientQueue> clients = new LinkedHashMap<>();
    private final Map<Long, EmbedJob> jobs = new LinkedHashMap<>();
    private final Map<Long, Batch> running = new HashMap<>();
    private long lastId;
    private long virtualTime;
    private int waitingTexts;
    private int queriesInARow;
    private double textsPerSecond;

    /**
     * @param dimension of the model's vectors
     * @param maxQueuedTexts texts that may wait before requests are refused; one client may hold
     *     three quarters of them
     */
    public EmbeddingScheduler(int dimension, BatchPlanner planner, int maxQueuedTexts) {
        this(dimension, planner, maxQueuedTexts, new VectorCache(0));
    }

    /**
     * As {@link #EmbeddingScheduler(int, BatchPlanner, int)}.
     *
     * @param cache where vectors go that are to be kept
     */
    public EmbeddingScheduler(
            int dimension, BatchPlanner planner, int maxQueuedTexts, VectorCache cache) {
        this.cache = cache;
        this.dimension = dimension;
        this.planner = planner;
        this.maxQueuedTexts = maxQueuedTexts;
    }

    /** Texts that no worker has yet. */
    public int waitingTexts() {
        return waitingTexts;
    }

    /**
     * A request has come; its texts are to be tokenized and handed over by {@link #tokenized}.
     *
     * @param client who asks, for fairness
     * @return the request's number
     * @throws NeuralCoreException {@link ErrorCode#UNAVAILABLE} if too much waits already
     */
    public long admit(String client, TextKind kind, int texts) {
        return admit(client, kind, texts, false);
    }

    /**
     * As {@link #admit(String, TextKind, int)}.
     *
     * @param alone whether each text is to be a batch of its own
     */
    public long admit(String client, TextKind kind, int texts, boolean alone) {
        return admit(client, kind, texts, alone, new VectorForm(dimension, false));
    }

    /**
     * As {@link #admit(String, TextKind, int, boolean)}.
     *
     * @param form of the vectors of the reply
     */
    public long admit(String client, TextKind kind, int texts, boolean alone, VectorForm form) {
        form.requireFrom(dimension);
        int share = Math.max(1, maxQueuedTexts - maxQueuedTexts / 4);
        if (texts < 1 || texts > share) {
            throw NeuralCoreException.invalid(
                    "A request may have 1 to %d texts, this one has %d. Send them in parts."
                            .formatted(share, texts));
        }
        ClientQueue queue = clients.get(client);
        int held = queue == null ? 0 : queue.held();
        if (held + texts > share || waitingTexts + texts > maxQueuedTexts) {
            throw new NeuralCoreException(
                    ErrorCode.UNAVAILABLE,
                    "%d texts wait already (%d of this client; %d and %d may)."
                            .formatted(waitingTexts, held, maxQueuedTexts, share),
                    retryAfter());
        }
        EmbedJob job = new EmbedJob(++lastId, client, kind, texts, alone, form);
        jobs.put(job.id(), job);
        clients.computeIfAbsent(client, key -> new ClientQueue(virtualTime)).hold(texts);
        waitingTexts += texts;
        return job.id();
    }

    /** A request's texts have been tokenized. */
    public List<Effect> tokenized(long request, int[][] ids) {
        return tokenized(request, PreparedTexts.of(ids));
    }

    /** A request's texts have been tokenized, or were known before. */
    public List<Effect> tokenized(long request, PreparedTexts texts) {
        EmbedJob job = jobs.get(request);
        List<Effect> effects = new ArrayList<>();
        if (job == null) {
            return effects;
        }
        ClientQueue queue = client(job);
        int waited = job.waitingTexts();
        job.tokenized(texts);
        int answered = waited - job.waitingTexts();
        queue.hold(-answered);
        waitingTexts -= answered;
        if (job.finished()) {
            complete(job, effects);
            forgetIfIdle(job.client(), queue);
        } else {
            queue.add(job);
        }
        dispatch(effects);
        return effects;
    }

    private void complete(EmbedJob job, List<Effect> effects) {
        job.end();
        jobs.remove(job.id());
        effects.add(new Effect.Completed(job.id(), job.reply(), job.tokens()));
    }

    /** A request cannot go on. */
    public List<Effect> abandon(long request, NeuralCoreException reason) {
        List<Effect> effects = new ArrayList<>();
        EmbedJob job = jobs.get(request);
        if (job != null) {
            end(job, reason, effects);
        }
        return effects;
    }

    /**
     * A worker can take batches.
     *
     * @param capacity tokens it takes at a time: it gets a batch when it has none, or has room for
     *     a full one
     */
    public List<Effect> workerJoined(String worker, int capacity) {
        workers.put(worker, new Worker(capacity));
        List<Effect> effects = new ArrayList<>();
        dispatch(effects);
        return effects;
    }

    /** A worker is gone; what it had waits again, before what came later. */
    public List<Effect> workerLeft(String worker) {
        workers.remove(worker);
        List<Batch> lost =
                running.values().stream().filter(batch -> batch.worker().equals(worker)).toList();
        for (Batch batch : lost) {
            running.remove(batch.id());
            batch.receivers().forEach(parts -> parts.forEach(this::putBack));
        }
        List<Effect> effects = new ArrayList<>();
        dispatch(effects);
        return effects;
    }

    /**
     * A batch has been run.
     *
     * @param vectors one a text of the batch
     * @param took how long the worker had it
     */
    public List<Effect> finished(long id, Tensor vectors, Duration took) {
        Batch batch = running.get(id);
        if (batch == null) {
            return List.of();
        }
        int texts = batch.tokens().texts();
        if (vectors.type() != ElementType.FLOAT32
                || vectors.rows() != texts
                || vectors.columns() != dimension) {
            return failed(
                    id,
                    new NeuralCoreException(
                            ErrorCode.INTERNAL,
                            "Worker %s answered %d texts with %s %d × %d instead of %d × %d."
                                    .formatted(
                                            batch.worker(),
                                            texts,
                                            vectors.type(),
                                            vectors.rows(),
                                            vectors.columns(),
                                            texts,
                                            dimension)));
        }
        release(batch);
        learnRate(texts, took);
        List<Effect> effects = new ArrayList<>();
        var values = vectors.floats();
        for (int row = 0; row < texts; row++) {
            for (Batch.Part part : batch.receivers().get(row)) {
                EmbedJob job = part.job();
                if (!job.over()
                        && job.finish(part.text(), values, row * dimension, dimension, cache)) {
                    complete(job, effects);
                }
            }
        }
        dispatch(effects);
        return effects;
    }

    /** A batch could not be run; the requests that have texts in it fail. */
    public List<Effect> failed(long id, NeuralCoreException reason) {
        Batch batch = running.get(id);
        if (batch == null) {
            return List.of();
        }
        release(batch);
        List<Effect> effects = new ArrayList<>();
        for (List<Batch.Part> parts : batch.receivers()) {
            for (Batch.Part part : parts) {
                if (!part.job().over()) {
                    end(part.job(), reason, effects);
                }
            }
        }
        dispatch(effects);
        return effects;
    }

    /** A client has left: what it has waiting is dropped. */
    public List<Effect> clientGone(String client) {
        return endAll(
                job -> job.client().equals(client),
                new NeuralCoreException(ErrorCode.UNAVAILABLE, "The client has left."));
    }

    /** No more is to be done: everything unanswered fails. */
    public List<Effect> shutDown(NeuralCoreException reason) {
        return endAll(job -> true, reason);
    }

    private List<Effect> endAll(Predicate<EmbedJob> which, NeuralCoreException reason) {
        List<Effect> effects = new ArrayList<>();
        for (EmbedJob job : jobs.values().stream().filter(which).toList()) {
            end(job, reason, effects);
        }
        return effects;
    }

    private void end(EmbedJob job, NeuralCoreException reason, List<Effect> effects) {
        job.end();
        jobs.remove(job.id());
        if (job.waitingTexts() > 0) {
            ClientQueue queue = client(job);
            queue.remove(job);
            queue.hold(-job.waitingTexts());
            waitingTexts -= job.waitingTexts();
            forgetIfIdle(job.client(), queue);
        }
        effects.add(new Effect.Failed(job.id(), reason));
    }

    private void putBack(Batch.Part part) {
        EmbedJob job = part.job();
        if (!job.over()) {
            int before = job.waitingTexts();
            job.putBack(part.text());
            int texts = job.waitingTexts() - before;
            ClientQueue queue = client(job);
            queue.addFirst(job);
            queue.hold(texts);
            waitingTexts += texts;
        }
    }

    private void dispatch(List<Effect> effects) {
        for (String worker = mostFree(); worker != null; worker = mostFree()) {
            Batch batch = nextBatch(worker);
            if (batch == null) {
                return;
            }
            running.put(batch.id(), batch);
            worker(worker).used += batch.cost();
            effects.add(new Effect.Run(batch));
        }
    }

    private @Nullable String mostFree() {
        String best = null;
        int most = Integer.MIN_VALUE;
        for (Map.Entry<String, Worker> entry : workers.entrySet()) {
            Worker worker = entry.getValue();
            int free = worker.capacity - worker.used;
            if ((worker.used == 0 || free >= planner.batchTokens()) && free > most) {
                best = entry.getKey();
                most = free;
            }
        }
        return best;
    }

    private @Nullable Batch nextBatch(String worker) {
        TextKind kind = nextKind();
        if (kind == null) {
            return null;
        }
        List<Map.Entry<String, ClientQueue>> candidates =
                clients.entrySet().stream()
                        .filter(entry -> entry.getValue().waits(kind))
                        .sorted(Comparator.comparingLong(entry -> entry.getValue().served()))
                        .toList();
        ClientQueue first = candidates.getFirst().getValue();
        virtualTime = Math.max(virtualTime, first.served());
        BatchDraft draft =
                new BatchDraft(planner, first.longestOfFirst(kind), first.firstIsAlone(kind));
        for (Map.Entry<String, ClientQueue> candidate : candidates) {
            ClientQueue queue = candidate.getValue();
            if (queue == first || queue.fitsWholly(kind, draft)) {
                waitingTexts -= queue.fill(kind, draft);
                forgetIfIdle(candidate.getKey(), queue);
            }
        }
        return draft.build(++lastId, worker);
    }

    private @Nullable TextKind nextKind() {
        boolean queries = waits(TextKind.QUERY);
        boolean documents = waits(TextKind.DOCUMENT);
        if (queries && documents) {
            queriesInARow = (queriesInARow + 1) % (QUERIES_IN_A_ROW + 1);
            return queriesInARow == 0 ? TextKind.DOCUMENT : TextKind.QUERY;
        }
        queriesInARow = 0;
        return queries ? TextKind.QUERY : documents ? TextKind.DOCUMENT : null;
    }

    private boolean waits(TextKind kind) {
        return clients.values().stream().anyMatch(queue -> queue.waits(kind));
    }

    private void release(Batch batch) {
        running.remove(batch.id());
        Worker worker = workers.get(batch.worker());
        if (worker != null) {
            worker.used -= batch.cost();
        }
    }

    private Worker worker(String name) {
        return Objects.requireNonNull(workers.get(name));
    }

    private ClientQueue client(EmbedJob job) {
        return clients.computeIfAbsent(job.client(), key -> new ClientQueue(virtualTime));
    }

    private void forgetIfIdle(String client, ClientQueue queue) {
        if (queue.held() == 0) {
            clients.remove(client);
        }
    }

    private void learnRate(int texts, Duration took) {
        double seconds = Math.max(took.toNanos() / 1e9, 1e-6);
        double rate = texts / seconds * Math.max(1, workers.size());
        textsPerSecond =
                textsPerSecond == 0
                        ? rate
                        : RATE_MEMORY * textsPerSecond + (1 - RATE_MEMORY) * rate;
    }

    /** Seconds until about half of what waits will have run. */
    private double retryAfter() {
        double seconds = textsPerSecond == 0 ? 1 : waitingTexts / textsPerSecond / 2;
        return Math.clamp(seconds, 0.1, 60);
    }
}
