package neuralcore.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LinkTest {
    private final Link link = new Link(400, 0, new SplittableRandom(1));

    @Test
    void theFirstAttemptAfterALossComesSoonAndLaterOnesLater() {
        link.begin();
        link.connected();

        assertThat(link.lost("gone")).isBetween(0L, 100L);
        assertThat(link.status()).isEqualTo(RelayStatus.RECONNECTING);
        for (long most : new long[] {200, 400, 400, 400}) {
            link.begin();
            assertThat(link.lost("refused")).isBetween(most / 2, most);
        }
        assertThat(link.reason()).isEqualTo("refused");
    }

    @Test
    void anOutcomeOfAnOlderAttemptDoesNotCount() {
        long first = link.begin();
        link.lost("late");
        long second = link.begin();

        assertThat(link.isCurrent(first)).isFalse();
        assertThat(link.isCurrent(second)).isTrue();
        link.disconnect();
        assertThat(link.isCurrent(second)).isFalse();
    }

    @Test
    void itGivesUpAfterAsManyAttemptsAsItMay() {
        Link bounded = new Link(400, 3, new SplittableRandom(1));
        bounded.begin();
        assertThat(bounded.lost("1")).isNotNegative();
        bounded.begin();
        assertThat(bounded.lost("2")).isNotNegative();
        bounded.begin();

        assertThat(bounded.lost("3")).isEqualTo(-1);
        assertThat(bounded.status()).isEqualTo(RelayStatus.FAILED);
    }

    @Test
    void reconnectsAreCounted() {
        link.begin();
        link.connected();
        assertThat(link.reconnects()).isZero();
        link.lost("x");
        link.begin();
        link.connected();

        assertThat(link.reconnects()).isEqualTo(1);
        assertThat(link.status()).isEqualTo(RelayStatus.CONNECTED);
    }

    @Test
    void theBreakerOpensAfterFailuresInARowAndTriesWithOne() {
        CircuitBreaker breaker = new CircuitBreaker(3, 50, 5_000);
        breaker.failed(0);
        breaker.failed(0);
        assertThat(breaker.allows(0)).isTrue();
        assertThat(breaker.failed(0)).isEqualTo(50);
        assertThat(breaker.allows(49)).isFalse();
        assertThat(breaker.allows(50)).isTrue();
        assertThat(breaker.allows(50)).as("one at a time").isFalse();
        assertThat(breaker.failed(50)).as("longer each time").isEqualTo(100);
        assertThat(breaker.allows(149)).isFalse();
        assertThat(breaker.allows(150)).isTrue();
        breaker.succeeded();
        assertThat(breaker.isOpen()).isFalse();
        assertThat(breaker.allows(150)).isTrue();
    }
}
