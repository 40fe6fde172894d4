package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.bus.RecordedEffects.Evicted;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import org.junit.jupiter.api.Test;

/** What happens when a queue is full, and who is told. */
class FullQueueTest extends NamespaceFixture {
    @Test
    void dropNewRejectsTheNewcomerAndTellsIt() {
        create("a", 2, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "a", 0);

        publish(message("a", 5, 1), message("a", 5, 2), message("a", 0, 3));

        assertThat(effects.accepted).isEqualTo(2);
        assertThat(effects.rejected).containsExactly(new Frame.Rejection(3, ErrorCode.QUEUE_FULL));
        credit("alice", 1, 9);
        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(1L, 2L);
    }

    @Test
    void dropOldEvictsTheOldestOfTheWorstPriority() {
        create("a", 3, DropPolicy.DROP_OLD);
        subscribe("alice", 1, "a", 0);
        publish("bob", message("a", 1, 1), message("a", 8, 2), message("a", 8, 3));

        publish("carol", message("a", 5, 4));

        assertThat(effects.accepted).isEqualTo(1);
        assertThat(effects.rejected).isEmpty();
        assertThat(effects.evicted).containsExactly(new Evicted("bob", 2));
        assertThat(stats("a").dropped()).isEqualTo(1);
        credit("alice", 1, 9);
        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(1L, 4L, 3L);
    }

    @Test
    void dropOldAdmitsANewcomerAsBadAsTheWorst() {
        create("a", 1, DropPolicy.DROP_OLD);
        subscribe("alice", 1, "a", 0);
        publish(message("a", 5, 1));

        publish(message("a", 5, 2));

        assertThat(effects.evicted).containsExactly(new Evicted("bob", 1));
        assertThat(effects.accepted).isEqualTo(1);
    }

    @Test
    void dropOldNeverEvictsForANewcomerThatIsWorse() {
        create("a", 2, DropPolicy.DROP_OLD);
        subscribe("alice", 1, "a", 0);
        publish(message("a", 1, 1), message("a", 2, 2));

        publish(message("a", 3, 3));

        assertThat(effects.rejected).containsExactly(new Frame.Rejection(3, ErrorCode.QUEUE_FULL));
        assertThat(effects.evicted).isEmpty();
    }

    @Test
    void aNewcomerThatIsWorseClosesTheChannelToNobody() {
        create("a", 1, DropPolicy.DROP_OLD);
        subscribe("alice", 1, "a", 0);
        publish(message("a", 1, 1), message("a", 2, 2));

        assertThat(effects.rooms).isEmpty();

        publish(message("a", 0, 3));
        assertThat(effects.accepted).isEqualTo(1);
    }

    @Test
    void aMessageEvictedByItsOwnBatchIsRejected() {
        create("a", 1, DropPolicy.DROP_OLD);
        subscribe("alice", 1, "a", 0);

        publish(message("a", 5, 1), message("a", 1, 2));

        assertThat(effects.accepted).isEqualTo(1);
        assertThat(effects.rejected).containsExactly(new Frame.Rejection(1, ErrorCode.QUEUE_FULL));
        assertThat(effects.evicted).isEmpty();
    }

    @Test
    void anEvictedMessageThatAnotherSubscriptionGotIsNotReported() {
        create("a", 1, DropPolicy.DROP_OLD);
        subscribe("slow", 1, "a", 0);
        subscribe("fast", 1, "a", MANY);
        publish(message("a", 5, 1));

        publish(message("a", 5, 2));

        assertThat(effects.evicted).isEmpty();
        assertThat(effects.rejected).isEmpty();
        assertThat(stats("a").dropped()).isEqualTo(1);
    }

    @Test
    void creditIsRoomWhateverTheBatch() {
        create("a", 2, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "a", 3);
        List<Envelope> batch = new ArrayList<>();
        for (int i = 1; i <= 7; i++) {
            batch.add(message("a", 5, i));
        }

        publish(batch.toArray(Envelope[]::new));

        assertThat(effects.accepted).isEqualTo(5);
        assertThat(effects.delivered).hasSize(3);
        assertThat(stats("a").queued()).isEqualTo(2);
    }

    @Test
    void zeroMeansWithoutBound() {
        create("a", 0, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "a", 0);
        for (int i = 0; i < 5_000; i++) {
            publish(message("a", 5, i));
        }

        assertThat(stats("a").queued()).isEqualTo(5_000);
        assertThat(effects.rejected).isEmpty();
    }
}
