package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.Test;

class VectorCacheTest {

    private static VectorCache.Key key(int number) {
        return new VectorCache.Key("text " + number, false);
    }

    private static VectorCache.Entry entry(int number) {
        return new VectorCache.Entry(new float[] {number, 1}, 3);
    }

    @Test
    void whatWasNotUsedForLongestIsForgottenFirst() {
        VectorCache cache = new VectorCache(2000);
        for (int i = 0; i < 100; i++) {
            cache.put(key(i), entry(i));
            cache.get(key(0));
            assertThat(cache.bytes()).isLessThanOrEqualTo(2000);
        }
        assertThat(cache.get(key(0))).isNotNull();
        assertThat(cache.get(key(99))).isNotNull();
        assertThat(cache.get(key(1))).isNull();
        assertThat(cache.size()).isBetween(5, 20);
        assertThat(cache.hits()).isEqualTo(102);
        assertThat(cache.misses()).isEqualTo(1);
    }

    @Test
    void aTextComputedByItselfIsAnother() {
        VectorCache cache = new VectorCache(10_000);
        cache.put(key(1), entry(1));
        assertThat(cache.get(new VectorCache.Key("text 1", true))).isNull();
        cache.put(key(1), entry(2));
        assertThat(cache.size()).isEqualTo(1);
        assertThat(cache.get(key(1)).vector()).containsExactly(2, 1);
    }

    @Test
    void oneTextDoesNotPushOutTheOthers() {
        VectorCache cache = new VectorCache(2000);
        cache.put(key(1), entry(1));
        cache.put(new VectorCache.Key("x".repeat(1000), false), entry(2));
        assertThat(cache.size()).isEqualTo(1);
        assertThat(new VectorCache(0).keepsNothing()).isTrue();
    }

    @Test
    void whatTheSchedulerComputedIsKnownNextTime() {
        VectorCache cache = new VectorCache(10_000);
        EmbeddingScheduler scheduler = new EmbeddingScheduler(2, new BatchPlanner(100), 10, cache);
        scheduler.workerJoined("w", 100);
        List<EmbeddingScheduler.Effect> effects = new ArrayList<>();
        long first = scheduler.admit("a", TextKind.DOCUMENT, 2, false, new VectorForm(2, true));
        effects.addAll(
                scheduler.tokenized(first, PreparedTextsTest.of(cache, List.of("one", "two"))));
        Batch batch = ((EmbeddingScheduler.Effect.Run) effects.getFirst()).batch();
        Tensor vectors = Tensor.ofFloats(2, 2);
        vectors.floats().put(new float[] {3, 4, 0, 2});
        scheduler.finished(batch.id(), vectors, Duration.ofMillis(1));
        // Unnormalized and shorter, of what was computed once.
        long second = scheduler.admit("b", TextKind.QUERY, 2, false, new VectorForm(1, false));
        EmbeddingScheduler.Effect known =
                scheduler
                        .tokenized(second, PreparedTextsTest.of(cache, List.of("two", "one")))
                        .getFirst();
        assertThat(known).isInstanceOf(EmbeddingScheduler.Effect.Completed.class);
        EmbeddingScheduler.Effect.Completed done = (EmbeddingScheduler.Effect.Completed) known;
        assertThat(done.vectors().toFloatArray()).containsExactly(0, 3);
        assertThat(done.tokens()).isEqualTo(2);
        assertThat(scheduler.waitingTexts()).isZero();
        // Known and new ones in one request.
        long third = scheduler.admit("b", TextKind.QUERY, 2, false, new VectorForm(2, false));
        batch =
                ((EmbeddingScheduler.Effect.Run)
                                scheduler
                                        .tokenized(
                                                third,
                                                PreparedTextsTest.of(
                                                        cache, List.of("three", "one")))
                                        .getFirst())
                        .batch();
        assertThat(batch.tokens().texts()).isEqualTo(1);
        Tensor one = Tensor.ofFloats(1, 2);
        one.floats().put(new float[] {7, 8});
        assertThat(
                        ((EmbeddingScheduler.Effect.Completed)
                                        scheduler
                                                .finished(batch.id(), one, Duration.ofMillis(1))
                                                .getFirst())
                                .vectors()
                                .toFloatArray())
                .containsExactly(7, 8, 3, 4);
    }
}
