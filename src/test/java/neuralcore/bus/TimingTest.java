package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.bus.RecordedEffects.Evicted;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import org.junit.jupiter.api.Test;

/** Delays, rates and ageing: what depends on time beyond the time to live. */
class TimingTest extends NamespaceFixture {
    private static Envelope delayed(String channel, long sequence, int ttl, long delay) {
        byte[] body = {'{', '}'};
        return new Envelope(
                channel, 1, sequence, 0, 5, ttl, delay, Envelope.JSON, Envelope.NONE, body, 2);
    }

    private List<Long> sequences() {
        return effects.delivered.stream().map(Delivered::sequence).toList();
    }

    @Test
    void aDelayedMessageComesToTheMillisecond() {
        subscribe("alice", 1, "a", MANY);
        publish(delayed("a", 1, 0, 250), delayed("a", 2, 0, 100), message("a", 5, 3));

        assertThat(effects.accepted).isEqualTo(3);
        assertThat(sequences()).containsExactly(3L);
        assertThat(stats("a").delayed()).isEqualTo(2);
        assertThat(bus.nextDue()).isEqualTo(now + 100);
        pass(99);
        assertThat(sequences()).containsExactly(3L);
        pass(1);
        assertThat(sequences()).containsExactly(3L, 2L);
        pass(150);
        assertThat(sequences()).containsExactly(3L, 2L, 1L);
        assertThat(stats("a").delayed()).isZero();
    }

    @Test
    void whoeverSubscribesMeanwhileGetsIt() {
        publish(delayed("a", 1, 0, 100));
        subscribe("alice", 1, "a", MANY);
        pass(100);

        assertThat(sequences()).containsExactly(1L);
    }

    @Test
    void itTakesThePlaceItsNumberGivesIt() {
        subscribe("alice", 1, "a", 0);
        publish(delayed("a", 1, 0, 100), message("a", 5, 2));
        pass(100);
        credit("alice", 1, 2);

        assertThat(sequences()).containsExactly(1L, 2L);
    }

    @Test
    void itsTimeToLiveBeginsWhenItIsDue() {
        subscribe("alice", 1, "a", 0);
        publish(delayed("a", 1, 50, 100), delayed("a", 2, 50, 100));
        pass(149);
        credit("alice", 1, 1);
        assertThat(sequences()).containsExactly(1L);
        pass(1);
        credit("alice", 1, 1);

        assertThat(sequences()).containsExactly(1L);
        assertThat(stats("a").expired()).isEqualTo(1);
    }

    @Test
    void aDelayedMessageThatFindsNoRoomIsTold() {
        create("a", 1, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "a", 0);
        publish(delayed("a", 1, 0, 10), message("a", 5, 2));
        pass(10);

        assertThat(effects.evicted).containsExactly(new Evicted("bob", 1));
    }

    @Test
    void tooManyDelayedMessagesAreRefused() {
        for (int i = 0; i < 100; i++) {
            publish(delayed("a", i, 0, 1_000));
        }
        publish(delayed("a", 100, 0, 1_000));

        assertThat(effects.rejected)
                .containsExactly(new Frame.Rejection(100, ErrorCode.LIMIT_EXCEEDED));
    }

    @Test
    void aChannelsRateRefusesWhatComesTooFast() {
        configure("a", Map.of("rate_per_second", 10.0, "burst", 2L));
        subscribe("alice", 1, "a", MANY);

        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));
        assertThat(effects.rejected)
                .containsExactly(new Frame.Rejection(3, ErrorCode.RATE_LIMITED));
        now += 99;
        publish(message("a", 5, 4));
        assertThat(effects.accepted).isZero();
        now += 1;
        publish(message("a", 5, 5));

        assertThat(sequences()).containsExactly(1L, 2L, 5L);
        assertThat(stats("a").limited()).isEqualTo(2);
    }

    @Test
    void whereThePolicyIsToWaitTheRateSpreadsThem() {
        configure(
                "a",
                Map.of("rate_per_second", 10.0, "drop_policy", "block", "block_timeout", 0.25));
        subscribe("alice", 1, "a", MANY);

        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3), message("a", 5, 4));
        assertThat(effects.rejected)
                .containsExactly(new Frame.Rejection(4, ErrorCode.RATE_LIMITED));
        assertThat(sequences()).containsExactly(1L);
        pass(100);
        assertThat(sequences()).containsExactly(1L, 2L);
        pass(100);
        assertThat(sequences()).containsExactly(1L, 2L, 3L);
    }

    @Test
    void aSubscribersRateHoldsUpNobodyElse() {
        Terms slow =
                new Terms(false, null, "", 0, Backoff.STANDARD, 1_000, null, new Rate(1_000, 3));
        subscribe("slow", 1, "a", MANY, slow);
        subscribe("fast", 1, "a", MANY);

        for (int i = 1; i <= 10; i++) {
            publish(message("a", 5, i));
        }
        assertThat(count("fast")).isEqualTo(10);
        assertThat(count("slow")).isEqualTo(3);
        pass(1);
        assertThat(count("slow")).isEqualTo(4);
        for (int i = 0; i < 6; i++) {
            assertThat(bus.nextDue()).isEqualTo(now + 1);
            pass(1);
        }
        assertThat(count("slow")).isEqualTo(10);
    }

    private long count(String connection) {
        return effects.delivered.stream().filter(d -> d.connection().equals(connection)).count();
    }

    @Test
    void withAgeingNothingWaitsForEver() {
        configure("a", Map.of("ageing", 1.0));
        subscribe("alice", 1, "a", 0);
        publish(message("a", 9, 1));
        now += 6_000;
        publish(message("a", 3, 2), message("a", 2, 3));

        credit("alice", 1, 3);

        assertThat(sequences()).as("9 is 3 after six seconds").containsExactly(3L, 1L, 2L);
    }

    @Test
    void aTokenBucketLetsThroughWhatItsRateAllows() {
        TokenBucket bucket = new TokenBucket(new Rate(3, 5));
        int passed = 0;
        for (long millis = 1_000; millis < 11_000; millis++) {
            if (bucket.allows(millis)) {
                bucket.take(millis);
                passed++;
                assertThat(bucket.nextMillis(millis)).isGreaterThanOrEqualTo(millis);
            }
        }
        assertThat(passed).isBetween(34, 35);
    }
}
