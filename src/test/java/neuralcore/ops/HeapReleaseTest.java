package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import neuralcore.ops.HeapRelease.Quiet;
import org.junit.jupiter.api.Test;

class HeapReleaseTest {
    private static final long MIB = 1L << 20;

    private final Quiet quiet = new Quiet();
    private final AtomicLong collections = new AtomicLong(3);
    private final AtomicLong used = new AtomicLong(100 * MIB);
    private final AtomicLong heap = new AtomicLong(700 * MIB);

    @Test
    void workThatHasEndedIsFollowedByOneRelease() {
        assertThat(looks(1)).as("the first look sees what was done before").isZero();
        assertThat(looks(Quiet.LOOKS - 1)).isZero();
        assertThat(looks(1)).isOne();
        assertThat(looks(10)).as("while a release is under way").isZero();
        released(200 * MIB);
        assertThat(looks(10)).as("nothing has happened since").isZero();
    }

    /** A graph is built with so little garbage that nothing is collected for minutes. */
    @Test
    void whatSlowWorkHasLeftIsReleasedWithoutACollectionBetween() {
        looks(Quiet.LOOKS + 1);
        released(200 * MIB);
        heap.addAndGet(Quiet.LITTLE_BYTES + 1);
        assertThat(looks(1)).isOne();
    }

    @Test
    void thereIsNoneWhileSomethingIsCollected() {
        for (int i = 0; i < 20; i++) {
            collections.incrementAndGet();
            assertThat(looks(1)).isZero();
        }
        assertThat(looks(Quiet.LOOKS)).isOne();
    }

    @Test
    void thereIsNoneWhileMuchIsAllocated() {
        looks(1);
        for (int i = 0; i < 20; i++) {
            used.addAndGet(Quiet.IDLE_BYTES + 1);
            assertThat(looks(1)).isZero();
        }
        used.addAndGet(Quiet.IDLE_BYTES);
        assertThat(looks(Quiet.LOOKS)).isOne();
    }

    @Test
    void workAfterAReleaseIsFollowedByAnother() {
        looks(Quiet.LOOKS + 1);
        released(200 * MIB);
        collections.incrementAndGet();
        heap.set(500 * MIB);
        assertThat(looks(1)).isZero();
        assertThat(looks(Quiet.LOOKS - 1)).isZero();
        assertThat(looks(1)).isOne();
    }

    @Test
    void thereIsNoneForLittle() {
        looks(Quiet.LOOKS + 1);
        released(200 * MIB);
        collections.incrementAndGet();
        heap.addAndGet(Quiet.LITTLE_BYTES);
        assertThat(looks(20)).isZero();
        heap.incrementAndGet();
        assertThat(looks(1)).isOne();
    }

    private void released(long left) {
        heap.set(left);
        quiet.released(collections.incrementAndGet(), left);
    }

    /** How many of so many looks ask for a release. */
    private int looks(int count) {
        int due = 0;
        for (int i = 0; i < count; i++) {
            due += quiet.look(collections.get(), used.get(), heap.get()) ? 1 : 0;
        }
        return due;
    }
}
