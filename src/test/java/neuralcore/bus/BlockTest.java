package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.bus.RecordedEffects.Evicted;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Waiting for room, and being told of it. */
class BlockTest extends NamespaceFixture {
    @BeforeEach
    void aChannelOfTwo() {
        configure("a", Map.of("max_queue_size", 2L, "drop_policy", "block", "block_timeout", 1.0));
    }

    @Test
    void asManyMayWaitForRoomAsThereArePlaces() {
        subscribe("alice", 1, "a", 0);

        for (int i = 1; i <= 3; i++) {
            publish(message("a", 5, i));
        }
        assertThat(effects.rooms).as("there is a place to wait left").isEmpty();
        for (int i = 4; i <= 5; i++) {
            publish(message("a", 5, i));
        }

        assertThat(effects.rejected).containsExactly(new Frame.Rejection(5, ErrorCode.QUEUE_FULL));
        assertThat(effects.rooms).containsExactly("bob a 0");
        credit("alice", 1, 4);
        assertThat(effects.delivered)
                .extracting(Delivered::sequence)
                .containsExactly(1L, 2L, 3L, 4L);
        assertThat(effects.rooms).containsExactly("bob a 0", "bob a 2");
        pass(10_000);
        assertThat(effects.evicted).isEmpty();
    }

    @Test
    void whatFindsNoRoomInTimeIsGivenUpAndTold() {
        subscribe("alice", 1, "a", 0);
        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));
        now += 500;
        publish(message("a", 5, 4));

        pass(499);
        assertThat(effects.evicted).isEmpty();
        pass(1);
        assertThat(effects.evicted).containsExactly(new Evicted("bob", 3));
        pass(500);

        assertThat(effects.evicted).containsExactly(new Evicted("bob", 3), new Evicted("bob", 4));
        assertThat(stats("a").dropped()).isEqualTo(2);
        assertThat(stats("a").queued()).isEqualTo(2);
    }

    @Test
    void anUrgentMessageOvertakesThoseThatWaitedBeforeIt() {
        subscribe("alice", 1, "a", 0);
        publish(message("a", 9, 1), message("a", 9, 2), message("a", 0, 3));

        credit("alice", 1, 1);

        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(3L);
        pass(10_000);
        assertThat(effects.evicted).as("the others have room").isEmpty();
    }

    @Test
    void whatHasAPlaceByThenIsNotGivenUp() {
        subscribe("alice", 1, "a", 0);
        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));

        credit("alice", 1, 1);
        pass(10_000);

        assertThat(effects.evicted).isEmpty();
        assertThat(stats("a").queued()).isEqualTo(2);
    }

    @Test
    void aHandlerThatPublishesIntoItsOwnFullChannelGoesOn() {
        subscribe("alice", 1, "a", 1);
        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));

        for (int i = 4; i < 100; i++) {
            publish("alice", message("a", 5, i));
            credit("alice", 1, 1);
        }

        assertThat(effects.rejected).isEmpty();
        assertThat(effects.delivered).hasSize(97);
    }

    @Test
    void othersGetWhatTheFullOneWaitsFor() {
        subscribe("stopped", 1, "a", 0);
        subscribe("fast", 1, "a", MANY);

        for (int i = 1; i <= 50; i++) {
            publish(message("a", 5, i));
        }

        assertThat(effects.delivered).hasSize(50);
        assertThat(effects.rejected).isEmpty();
    }

    @Test
    void roomIsToldWhenAQuarterIsFree() {
        configure("b", Map.of("max_queue_size", 8L));
        subscribe("alice", 1, "b", 0);
        for (int i = 1; i <= 9; i++) {
            publish(message("b", 5, i));
        }
        publish("carol", message("b", 7, 5, 1, 0));
        assertThat(effects.rooms).containsExactly("bob b 0", "carol b 0");

        credit("alice", 1, 1);
        assertThat(effects.rooms).hasSize(2);
        credit("alice", 1, 1);

        assertThat(effects.rooms).containsExactly("bob b 0", "carol b 0", "bob b 2", "carol b 2");
    }

    @Test
    void whoeverLeavesMakesRoom() {
        subscribe("alice", 1, "a", 0);
        for (int i = 1; i <= 4; i++) {
            publish(message("a", 5, i));
        }

        step(new BusEvent.ConnectionClosed(now, "alice"));

        assertThat(effects.rooms).containsExactly("bob a 0", "bob a " + Integer.MAX_VALUE);
        pass(10_000);
        assertThat(effects.evicted).isEmpty();
    }
}
