package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class RightOfWayTest {
    private static final long AN_HOUR = TimeUnit.HOURS.toNanos(1);

    @Test
    void aStepOfTheBackgroundWaitsForTheSearchUnderWay() throws Exception {
        RightOfWay way = new RightOfWay(AN_HOUR);
        List<String> ended = new CopyOnWriteArrayList<>();
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            Future<?> search =
                    threads.submit(
                            () ->
                                    way.first(
                                            () -> {
                                                begun.countDown();
                                                await(end);
                                                return ended.add("search");
                                            }));
            await(begun);
            Future<?> step =
                    threads.submit(
                            () -> {
                                way.giveWay();
                                ended.add("step");
                            });
            end.countDown();
            search.get();
            step.get();
        }
        assertThat(ended).containsExactly("search", "step");
    }

    @Test
    void itDoesNotWaitForEver() {
        RightOfWay way = new RightOfWay(1);
        List<String> ended = new CopyOnWriteArrayList<>();
        way.first(
                () -> {
                    way.giveWay();
                    return ended.add("step");
                });
        assertThat(ended).containsExactly("step");
    }

    @Test
    void aSearchThatFailsIsNoLongerUnderWay() {
        RightOfWay way = new RightOfWay(AN_HOUR);
        assertThatThrownBy(
                        () ->
                                way.first(
                                        () -> {
                                            throw new IllegalStateException("expected");
                                        }))
                .hasMessage("expected");
        way.giveWay();
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(60, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
