package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ReadinessTest {
    private final Readiness readiness = new Readiness();

    @Test
    void whatIsExpectedKeepsTheNodeUnreadyUntilItHasSpoken() {
        readiness.expect("vectors");
        assertThat(readiness.isReady()).isFalse();
        readiness.set("vectors", false, "no memory");
        assertThat(readiness.isReady()).isFalse();
        assertThat(readiness.detail("vectors")).isEqualTo("no memory");
        readiness.set("vectors", true, "scalar");
        assertThat(readiness.isReady()).isTrue();
    }

    @Test
    void waitingForAPartEndsWhenItIsReady() {
        readiness.expect("model");
        CompletableFuture<Void> ready = readiness.whenReady("model");
        readiness.set("door", true, "");
        readiness.set("model", false, "loading");
        assertThat(ready).isNotDone();
        readiness.set("model", true, "");
        assertThat(ready).isDone();
        assertThat(readiness.whenReady("model")).isDone();
    }

    @Test
    void nobodyWaitsForAPartThatIsNotThere() {
        assertThat(readiness.whenReady("model")).isDone();
    }
}
