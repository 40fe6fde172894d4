package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import neuralcore.embedding.EmbeddingScheduler.Effect;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.Test;

class EmbeddingSchedulerTest {
    private static final int BATCH_TOKENS = 100;

    private final EmbeddingScheduler scheduler =
            new EmbeddingScheduler(1, new BatchPlanner(BATCH_TOKENS), 1000);

    /** A text of so many tokens whose vector, by our worker here, is {@code value}. */
    private static int[] text(int length, int value) {
        int[] ids = new int[length];
        Arrays.fill(ids, 7);
        ids[0] = value;
        return ids;
    }

    private static int[][] texts(int count, int length, int firstValue) {
        int[][] texts = new int[count][];
        Arrays.setAll(texts, i -> text(length, firstValue + i));
        return texts;
    }

    private long submit(String client, TextKind kind, List<Effect> effects, int[]... ids) {
        long request = scheduler.admit(client, kind, ids.length);
        effects.addAll(scheduler.tokenized(request, ids));
        return request;
    }

    private static Tensor vectors(Batch batch) {
        Tensor vectors = Tensor.ofFloats(batch.tokens().texts(), 1);
        int from = 0;
        for (int i = 0; i < batch.tokens().texts(); i++) {
            vectors.floats().put(i, batch.tokens().ids()[from]);
            from += batch.tokens().lengths()[i];
        }
        return vectors;
    }

    private List<Effect> run(Batch batch) {
        return scheduler.finished(batch.id(), vectors(batch), Duration.ofMillis(10));
    }

    private static Batch only(List<Effect> effects) {
        List<Batch> batches = batches(effects);
        assertThat(batches).hasSize(1);
        return batches.getFirst();
    }

    private static List<Batch> batches(List<Effect> effects) {
        List<Batch> batches = new ArrayList<>();
        for (Effect effect : effects) {
            if (effect instanceof Effect.Run run) {
                batches.add(run.batch());
            }
        }
        return batches;
    }

    private static Effect.Completed completed(List<Effect> effects, long request) {
        return effects.stream()
                .filter(Effect.Completed.class::isInstance)
                .map(Effect.Completed.class::cast)
                .filter(done -> done.request() == request)
                .findFirst()
                .orElseThrow(() -> new AssertionError(request + " is not answered by " + effects));
    }

    @Test
    void aRequestRunsInBatchesWithinTheBudgetAndComesBackInOrder() {
        List<Effect> effects = new ArrayList<>(scheduler.workerJoined("w", BATCH_TOKENS));
        int[][] ids = {
            text(10, 1), text(50, 2), text(3, 3), text(48, 4), text(10, 5), text(300, 6)
        };
        long request = submit("a", TextKind.DOCUMENT, effects, ids);
        List<Effect> last = effects;
        List<Integer> widths = new ArrayList<>();
        while (!batches(last).isEmpty()) {
            Batch batch = only(last);
            widths.add(batch.tokens().width());
            assertThat(batch.tokens().texts() == 1 || batch.cost() <= BATCH_TOKENS).isTrue();
            last = run(batch);
        }
        assertThat(widths).containsExactly(300, 50, 10);
        Effect.Completed done = completed(last, request);
        assertThat(done.vectors().toFloatArray()).containsExactly(1, 2, 3, 4, 5, 6);
        assertThat(done.tokens()).isEqualTo(10 + 50 + 3 + 48 + 10 + 300);
    }

    @Test
    void equalTextsAreComputedOnce() {
        List<Effect> effects = new ArrayList<>(scheduler.workerJoined("w", BATCH_TOKENS));
        submit("busy", TextKind.DOCUMENT, effects, text(90, 1));
        Batch busy = only(effects);
        List<Effect> none = new ArrayList<>();
        long a = submit("a", TextKind.DOCUMENT, none, text(5, 8), text(5, 9), text(5, 8));
        long b = submit("b", TextKind.DOCUMENT, none, text(5, 9));
        assertThat(none).isEmpty();
        Batch batch = only(run(busy));
        assertThat(batch.tokens().texts()).isEqualTo(2);
        List<Effect> last = run(batch);
        assertThat(completed(last, a).vectors().toFloatArray()).containsExactly(8, 9, 8);
        assertThat(completed(last, b).vectors().toFloatArray()).containsExactly(9);
        assertThat(scheduler.waitingTexts()).isZero();
    }

    @Test
    void queriesGoFirstAndAnotherClientsDocumentsAreNotShutOut() {
        List<Effect> effects = new ArrayList<>(scheduler.workerJoined("w", BATCH_TOKENS));
        submit("bulk", TextKind.DOCUMENT, effects, texts(700, 20, 0));
        Batch running = only(effects);
        List<Effect> none = new ArrayList<>();
        long document = submit("b", TextKind.DOCUMENT, none, text(20, 1000));
        long query = submit("c", TextKind.QUERY, none, text(5, 1001));
        // The running one, then the query by itself, then the other client's document.
        Batch second = only(run(running));
        assertThat(second.tokens().texts()).isEqualTo(1);
        List<Effect> after = run(second);
        assertThat(completed(after, query).vectors().toFloatArray()).containsExactly(1001);
        Batch third = only(after);
        assertThat(third.tokens().texts()).isEqualTo(1);
        completed(run(third), document);
    }

    @Test
    void tenThousandQueuedTextsDelayAnothersQueryByAtMostTwoBatches() {
        EmbeddingScheduler busy = new EmbeddingScheduler(1, new BatchPlanner(BATCH_TOKENS), 20_000);
        List<Effect> effects = new ArrayList<>(busy.workerJoined("w", BATCH_TOKENS));
        long bulk = busy.admit("bulk", TextKind.DOCUMENT, 10_000);
        effects.addAll(busy.tokenized(bulk, texts(10_000, 20, 0)));
        Batch running = only(effects);
        long query = busy.admit("other", TextKind.QUERY, 1);
        busy.tokenized(query, texts(1, 5, 77));
        int batches = 0;
        List<Effect> last = List.of();
        while (last.stream()
                .noneMatch(
                        effect ->
                                effect instanceof Effect.Completed done
                                        && done.request() == query)) {
            last = busy.finished(running.id(), vectors(running), Duration.ofMillis(10));
            batches++;
            running = only(last);
        }
        assertThat(batches).isLessThanOrEqualTo(2);
    }

    @Test
    void smallRequestsOfManyClientsShareABatch() {
        List<Effect> effects = new ArrayList<>(scheduler.workerJoined("w", BATCH_TOKENS));
        submit("busy", TextKind.QUERY, effects, text(90, 1));
        List<Effect> none = new ArrayList<>();
        List<Long> requests = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            requests.add(submit("c" + i, TextKind.QUERY, none, text(9 + i % 3, 100 + i)));
        }
        Batch batch = only(run(only(effects)));
        assertThat(batch.tokens().texts()).isEqualTo(8);
        List<Effect> last = run(batch);
        requests.forEach(request -> completed(last, request));
    }

    @Test
    void whatIsTooMuchIsRefusedAndLeavesNothingBehind() {
        submit("a", TextKind.DOCUMENT, new ArrayList<>(), texts(700, 5, 0));
        assertThatThrownBy(() -> scheduler.admit("a", TextKind.DOCUMENT, 51))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> {
                            assertThat(e.code()).isEqualTo(ErrorCode.UNAVAILABLE);
                            assertThat(e.retryAfterSeconds()).isEqualTo(1.0);
                        });
        scheduler.admit("b", TextKind.DOCUMENT, 300);
        assertThatThrownBy(() -> scheduler.admit("c", TextKind.QUERY, 1))
                .hasMessageContaining("1000 texts wait already");
        assertThatThrownBy(() -> scheduler.admit("c", TextKind.QUERY, 751))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
        scheduler.clientGone("b");
        scheduler.clientGone("a");
        assertThat(scheduler.waitingTexts()).isZero();
        scheduler.admit("c", TextKind.QUERY, 750);
    }

    @Test
    void aClientThatLeftCostsNoMoreWork() {
        List<Effect> effects = new ArrayList<>(scheduler.workerJoined("w", BATCH_TOKENS));
        long gone = submit("a", TextKind.DOCUMENT, effects, texts(50, 20, 0));
        Batch running = only(effects);
        long notTokenized = scheduler.admit("a", TextKind.DOCUMENT, 3);
        List<Effect> left = scheduler.clientGone("a");
        assertThat(left)
                .extracting(effect -> ((Effect.Failed) effect).request())
                .containsExactly(gone, notTokenized);
        assertThat(scheduler.tokenized(notTokenized, texts(3, 5, 0))).isEmpty();
        assertThat(run(running)).isEmpty();
        assertThat(scheduler.waitingTexts()).isZero();
    }

    @Test
    void aFailedBatchFailsItsRequestsAndNoOthers() {
        List<Effect> effects = new ArrayList<>(scheduler.workerJoined("w", BATCH_TOKENS));
        long failing = submit("a", TextKind.DOCUMENT, effects, texts(50, 20, 0));
        List<Effect> none = new ArrayList<>();
        long other = submit("b", TextKind.DOCUMENT, none, text(20, 99));
        List<Effect> after =
                scheduler.failed(
                        only(effects).id(), new NeuralCoreException(ErrorCode.INTERNAL, "broke"));
        assertThat(after)
                .anyMatch(
                        effect ->
                                effect instanceof Effect.Failed f
                                        && f.request() == failing
                                        && "broke".equals(f.reason().getMessage()));
        completed(run(only(after)), other);
    }

    @Test
    void anAnswerOfTheWrongShapeIsAFailure() {
        List<Effect> effects = new ArrayList<>(scheduler.workerJoined("w", BATCH_TOKENS));
        submit("a", TextKind.DOCUMENT, effects, text(5, 1), text(5, 2));
        List<Effect> after =
                scheduler.finished(only(effects).id(), Tensor.ofFloats(1, 1), Duration.ofMillis(1));
        assertThat(after).hasSize(1);
        assertThat(((Effect.Failed) after.getFirst()).reason())
                .hasMessageContaining("FLOAT32 1 × 1 instead of 2 × 1");
    }

    @Test
    void whatAWorkerHadWhenItLeftRunsElsewhere() {
        List<Effect> effects = new ArrayList<>(scheduler.workerJoined("w1", BATCH_TOKENS));
        long request = submit("a", TextKind.DOCUMENT, effects, texts(5, 20, 1));
        Batch lost = only(effects);
        assertThat(scheduler.workerLeft("w1")).isEmpty();
        assertThat(scheduler.waitingTexts()).isEqualTo(5);
        assertThat(run(lost)).isEmpty();
        List<Effect> last = run(only(scheduler.workerJoined("w2", BATCH_TOKENS)));
        assertThat(completed(last, request).vectors().toFloatArray())
                .containsExactly(1, 2, 3, 4, 5);
    }

    @Test
    void aWorkerGetsNoMoreThanItTakes() {
        List<Effect> effects = new ArrayList<>();
        submit("a", TextKind.DOCUMENT, effects, texts(40, 20, 0));
        assertThat(batches(scheduler.workerJoined("two", 2 * BATCH_TOKENS))).hasSize(2);
        assertThat(batches(scheduler.workerJoined("one", BATCH_TOKENS))).hasSize(1);
    }

    /** Clients that want the same get the same, however they cut their wishes into requests. */
    @Test
    void tokensAreSharedFairly() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        List<Effect> effects = new ArrayList<>();
        List<String> clients = List.of("a", "b", "c");
        for (int client = 0; client < 3; client++) {
            int[] sizes = {200, 20, 1};
            for (int sent = 0; sent < 200; sent += sizes[client]) {
                int[][] ids = new int[sizes[client]][];
                for (int i = 0; i < ids.length; i++) {
                    ids[i] = text(20 + random.nextInt(5), client * 100_000 + sent + i);
                }
                submit(clients.get(client), TextKind.DOCUMENT, effects, ids);
            }
        }
        long[] served = new long[3];
        List<Effect> last = scheduler.workerJoined("w", BATCH_TOKENS);
        for (int i = 0; i < 60; i++) {
            Batch batch = only(last);
            int from = 0;
            for (int length : batch.tokens().lengths()) {
                served[batch.tokens().ids()[from] / 100_000] += length;
                from += length;
            }
            last = run(batch);
            long spread =
                    Arrays.stream(served).max().getAsLong()
                            - Arrays.stream(served).min().getAsLong();
            assertThat(spread)
                    .as("%s after %d batches, seed %d", Arrays.toString(served), i, seed)
                    .isLessThanOrEqualTo(2 * BATCH_TOKENS);
        }
    }

    /** Anything may happen in any order: all is answered once, rightly, and nothing is left. */
    @Test
    void everyRequestIsAnsweredOnceWhateverHappens() {
        for (int round = 0; round < 200; round++) {
            long seed = System.nanoTime();
            new SchedulerSimulation(seed).run(400);
        }
    }
}
