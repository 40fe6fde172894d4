package neuralcore.bridge;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class TokenBucketTest {
    private static final long SECOND = 1_000_000_000L;

    @Test
    void aSecondsWorthMayComeAtOnce() {
        TokenBucket bucket = new TokenBucket(1_000, 0);
        assertThat(bucket.take(1_000, 0)).isZero();
        assertThat(bucket.take(1, 0)).isEqualTo(SECOND / 1_000);
    }

    @Test
    void whatExceedsItIsTakenAndPaidOff() {
        TokenBucket bucket = new TokenBucket(100, 0);
        assertThat(bucket.take(1_100, 0)).isEqualTo(10 * SECOND);
        assertThat(bucket.take(0, 10 * SECOND)).isZero();
        assertThat(bucket.take(100, 11 * SECOND)).isZero();
    }

    @Test
    void noMoreThanASecondsWorthIsSaved() {
        TokenBucket bucket = new TokenBucket(100, 0);
        assertThat(bucket.take(101, 3_600 * SECOND)).isEqualTo(SECOND / 100);
    }

    @Test
    void zeroBoundsNothing() {
        TokenBucket bucket = new TokenBucket(0, 0);
        assertThat(bucket.take(Long.MAX_VALUE, 0)).isZero();
    }

    /** However the portions fall, who waits as told gets the rate and a burst, and all of it. */
    @Test
    void theRateHoldsInTheLongRun() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 100; round++) {
            long rate = 1 + random.nextInt(1_000_000);
            TokenBucket bucket = new TokenBucket(rate, 0);
            long now = 0;
            long taken = 0;
            for (int i = 0; i < 1_000; i++) {
                long portion = random.nextLong(2 * rate);
                taken += portion;
                now += bucket.take(portion, now);
                now += random.nextBoolean() ? random.nextLong(SECOND) : 0;
            }
            assertThat((double) taken)
                    .as("seed %d, rate %d", seed, rate)
                    .isLessThanOrEqualTo(rate * ((double) now / SECOND + 1) * 1.000001);
        }
    }
}
