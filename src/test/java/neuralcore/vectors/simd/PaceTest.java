package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PaceTest {
    private final List<Long> rests = new ArrayList<>();
    private long now;
    private final Pace pace = new Pace(() -> now, rests::add);

    private long work(long nanos) {
        return pace.run(() -> now += nanos);
    }

    @Test
    void restsForAMultipleOfWhatWasWorked() {
        assertThat(work(2 * Pace.STINT_NANOS)).isEqualTo(2 * Pace.STINT_NANOS);
        assertThat(rests).containsExactly(2 * Pace.STINT_NANOS * Pace.REST);
    }

    @Test
    void shortPiecesShareARest() {
        for (int i = 0; i < 20; i++) {
            work(Pace.STINT_NANOS / 10);
        }
        assertThat(rests)
                .containsExactly(Pace.STINT_NANOS * Pace.REST, Pace.STINT_NANOS * Pace.REST);
        assertThat(pace.worked()).isEqualTo(2 * Pace.STINT_NANOS);
    }

    @Test
    void noRestIsEndless() {
        work(1_000 * Pace.STINT_NANOS);
        assertThat(rests).containsExactly(Pace.MOST_NANOS_REST);
    }
}
