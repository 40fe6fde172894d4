package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import neuralcore.bus.RecordedEffects.Delivered;
import org.junit.jupiter.api.Test;

/** What expires, when, and what that frees. */
class TimeToLiveTest extends NamespaceFixture {
    @Test
    void whatExpiredIsNotDelivered() {
        subscribe("alice", 1, "a", 0);
        publish(message("a", 1, 5, 1, 50), message("a", 1, 5, 2, 0), message("a", 1, 9, 3, 200));

        now += 50;
        credit("alice", 1, 10);

        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(2L, 3L);
        assertThat(stats("a").expired()).isEqualTo(1);
        assertThat(stats("a").queued()).isZero();
    }

    @Test
    void whatIsDeliveredInTimeStays() {
        subscribe("alice", 1, "a", 0);
        publish(message("a", 1, 5, 1, 50));

        now += 49;
        credit("alice", 1, 10);

        assertThat(effects.delivered).hasSize(1);
    }

    @Test
    void aTickDropsWhatExpiredAnywhereInAQueue() {
        subscribe("alice", 1, "a", 0);
        publish(message("a", 1, 0, 1, 0), message("a", 1, 5, 2, 50), message("a", 1, 9, 3, 90));

        now += 60;
        tick();
        assertThat(stats("a").expired()).isEqualTo(1);
        assertThat(stats("a").queued()).isEqualTo(2);

        now += 60;
        tick();
        assertThat(stats("a").expired()).isEqualTo(2);
        assertThat(stats("a").queued()).isEqualTo(1);
    }

    @Test
    void whatExpiredTakesNoRoom() {
        create("a", 1, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "a", 0);
        publish(message("a", 1, 5, 1, 50));
        now += 60;

        publish(message("a", 1, 5, 2, 0));

        assertThat(effects.rejected).isEmpty();
        assertThat(stats("a").expired()).isEqualTo(1);
    }

    @Test
    void aClockThatGoesBackChangesNothing() {
        subscribe("alice", 1, "a", 0);
        publish(message("a", 1, 5, 1, 50));
        now += 60;
        tick();
        now -= 1_000;

        publish(message("a", 1, 5, 2, 50));
        now += 1_000 + 49;
        credit("alice", 1, 1);

        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(2L);
    }
}
