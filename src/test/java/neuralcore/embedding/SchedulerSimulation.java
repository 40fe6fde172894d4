package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import neuralcore.embedding.EmbeddingScheduler.Effect;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Tensor;

/** Clients and workers that come, go, fail and answer at random, and a check of each effect. */
final class SchedulerSimulation {
    private static final int MAX_QUEUED = 120;
    private static final int BATCH_TOKENS = 64;

    private record Sent(String client, int[][] ids) {}

    private final long seed;
    private final Random random;
    private final EmbeddingScheduler scheduler =
            new EmbeddingScheduler(2, new BatchPlanner(BATCH_TOKENS), MAX_QUEUED);
    private final Map<Long, Sent> open = new HashMap<>();
    private final Set<Long> untokenized = new HashSet<>();
    private final Map<Long, Batch> running = new LinkedHashMap<>();
    private final Map<String, Integer> workers = new LinkedHashMap<>();
    private int nextWorker;

    SchedulerSimulation(long seed) {
        this.seed = seed;
        this.random = new Random(seed);
    }

    void run(int steps) {
        for (int i = 0; i < steps; i++) {
            step();
        }
        untokenized.stream().toList().forEach(this::tokenize);
        if (workers.isEmpty()) {
            join();
        }
        while (!running.isEmpty()) {
            finish();
        }
        assertThat(open).as("unanswered, seed %d", seed).isEmpty();
        assertThat(scheduler.waitingTexts()).as("seed %d", seed).isZero();
    }

    private void step() {
        switch (random.nextInt(20)) {
            case 0 -> join();
            case 1 -> leave();
            case 2 -> check(scheduler.clientGone(client()), true);
            case 3 -> failBatch();
            case 4, 5, 6, 7, 8 -> admit();
            case 9, 10, 11, 12, 13 -> untokenized.stream().findFirst().ifPresent(this::tokenize);
            default -> finish();
        }
    }

    private String client() {
        return "client" + random.nextInt(5);
    }

    private void admit() {
        int[][] ids = new int[1 + random.nextInt(random.nextInt(10) == 0 ? 60 : 4)][];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = new int[1 + random.nextInt(40)];
            ids[i][0] = random.nextInt(30);
        }
        String client = client();
        int waited = scheduler.waitingTexts();
        try {
            TextKind kind = random.nextInt(3) == 0 ? TextKind.QUERY : TextKind.DOCUMENT;
            long request = scheduler.admit(client, kind, ids.length);
            assertThat(waited + ids.length).as("seed %d", seed).isLessThanOrEqualTo(MAX_QUEUED);
            open.put(request, new Sent(client, ids));
            untokenized.add(request);
        } catch (NeuralCoreException e) {
            assertThat(e.code()).isEqualTo(ErrorCode.UNAVAILABLE);
        }
    }

    private void tokenize(long request) {
        untokenized.remove(request);
        Sent sent = open.get(request);
        if (sent == null) {
            assertThat(scheduler.tokenized(request, new int[0][])).isEmpty();
        } else if (random.nextInt(10) == 0) {
            check(scheduler.abandon(request, NeuralCoreException.invalid("odd")), true);
        } else {
            check(scheduler.tokenized(request, sent.ids()), false);
        }
    }

    private void join() {
        if (workers.size() < 4) {
            String worker = "w" + nextWorker++;
            int capacity = BATCH_TOKENS * (1 + random.nextInt(2));
            workers.put(worker, capacity);
            check(scheduler.workerJoined(worker, capacity), false);
        }
    }

    private void leave() {
        workers.keySet().stream()
                .findFirst()
                .ifPresent(
                        worker -> {
                            workers.remove(worker);
                            running.values().removeIf(batch -> batch.worker().equals(worker));
                            check(scheduler.workerLeft(worker), false);
                        });
    }

    private void failBatch() {
        running.keySet().stream()
                .findFirst()
                .ifPresent(
                        id -> {
                            running.remove(id);
                            check(
                                    scheduler.failed(id, NeuralCoreException.invalid("failed")),
                                    true);
                        });
    }

    private void finish() {
        List<Long> ids = new ArrayList<>(running.keySet());
        if (ids.isEmpty()) {
            return;
        }
        Batch batch = Objects.requireNonNull(running.remove(ids.get(random.nextInt(ids.size()))));
        Tensor vectors = Tensor.ofFloats(batch.tokens().texts(), 2);
        int from = 0;
        for (int row = 0; row < batch.tokens().texts(); row++) {
            vectors.floats().put(2 * row, batch.tokens().ids()[from]);
            vectors.floats().put(2 * row + 1, batch.tokens().lengths()[row]);
            from += batch.tokens().lengths()[row];
        }
        check(scheduler.finished(batch.id(), vectors, Duration.ofMillis(1)), false);
    }

    private void check(List<Effect> effects, boolean mayFail) {
        for (Effect effect : effects) {
            switch (effect) {
                case Effect.Run run -> {
                    Batch batch = run.batch();
                    running.put(batch.id(), batch);
                    assertThat(workers).as("seed %d", seed).containsKey(batch.worker());
                    assertThat(batch.tokens().texts() == 1 || batch.cost() <= BATCH_TOKENS)
                            .as("%d tokens, seed %d", batch.cost(), seed)
                            .isTrue();
                }
                case Effect.Completed done -> {
                    Sent sent =
                            Objects.requireNonNull(
                                    open.remove(done.request()), "answered twice, seed " + seed);
                    float[] values = done.vectors().toFloatArray();
                    for (int i = 0; i < sent.ids().length; i++) {
                        assertThat(values[2 * i]).isEqualTo(sent.ids()[i][0]);
                        assertThat(values[2 * i + 1]).isEqualTo(sent.ids()[i].length);
                    }
                }
                case Effect.Failed failed -> {
                    assertThat(mayFail).as("seed %d", seed).isTrue();
                    assertThat(open.remove(failed.request())).as("seed %d", seed).isNotNull();
                }
            }
        }
        for (Map.Entry<String, Integer> worker : workers.entrySet()) {
            int cost =
                    running.values().stream()
                            .filter(batch -> batch.worker().equals(worker.getKey()))
                            .mapToInt(Batch::cost)
                            .sum();
            assertThat(cost).as("seed %d", seed).isLessThanOrEqualTo(worker.getValue());
        }
    }
}
