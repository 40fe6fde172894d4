package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class ParallelTest {

    @Test
    void everyTaskRunsOnce() {
        try (ExecutorService pool = Executors.newFixedThreadPool(3)) {
            AtomicIntegerArray runs = new AtomicIntegerArray(1_000);
            new Parallel(pool, 3).run(1_000, runs::incrementAndGet);
            for (int i = 0; i < runs.length(); i++) {
                assertThat(runs.get(i)).isEqualTo(1);
            }
        }
    }

    @Test
    void callersThatFillTheirOwnPoolStillEnd() throws Exception {
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            Parallel parallel = new Parallel(pool, 4);
            AtomicIntegerArray runs = new AtomicIntegerArray(1);
            List<Future<?>> callers = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                callers.add(pool.submit(() -> parallel.run(50, task -> runs.incrementAndGet(0))));
            }
            for (Future<?> caller : callers) {
                caller.get();
            }
            assertThat(runs.get(0)).isEqualTo(1_000);
        }
    }

    @Test
    void whatATaskThrowsIsThrown() {
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            assertThatThrownBy(
                            () ->
                                    new Parallel(pool, 2)
                                            .run(
                                                    10,
                                                    task -> {
                                                        throw new IllegalStateException("task");
                                                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("task");
        }
    }

    @Test
    void aClosedPoolLeavesAllToTheCaller() {
        ExecutorService closed = Executors.newSingleThreadExecutor();
        closed.close();
        AtomicIntegerArray runs = new AtomicIntegerArray(10);
        new Parallel(closed, 4).run(10, runs::incrementAndGet);
        assertThat(runs.toString()).isEqualTo("[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]");
    }
}
