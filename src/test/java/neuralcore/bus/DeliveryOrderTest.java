package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import org.junit.jupiter.api.Test;

/** Who gets which message next. */
class DeliveryOrderTest extends NamespaceFixture {
    @Test
    void aBatchIsQueuedBeforeAnyOfItIsDelivered() {
        subscribe("alice", 1, "jobs", MANY);

        publish(message("jobs", 5, 1), message("jobs", 9, 2), message("jobs", 0, 3));

        assertThat(effects.delivered)
                .extracting(Delivered::shortly)
                .containsExactly("1:3", "1:1", "1:2");
    }

    @Test
    void aMoreUrgentMessageIsTheNextBehindTenThousandOthers() {
        create("jobs", 0, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "jobs", 0);
        for (int i = 0; i < 10_000; i++) {
            publish(message("jobs", 9, i));
        }
        publish(message("jobs", 0, 77_777));

        credit("alice", 1, 2);

        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(77_777L, 0L);
    }

    @Test
    void anyPriorityWorks() {
        List<Envelope> batch = new ArrayList<>();
        long[] ordered = {
            Long.MIN_VALUE + 1, -256, -1, 0, 63, 64, 100, 255, 256, 1L << 40, Long.MAX_VALUE
        };
        for (int i = 0; i < ordered.length; i++) {
            batch.add(message("jobs", ordered[i], i));
        }
        Collections.shuffle(batch, new Random(5));
        subscribe("alice", 1, "jobs", MANY);

        publish(batch.toArray(Envelope[]::new));

        assertThat(effects.delivered).extracting(Delivered::sequence).isSorted();
    }

    @Test
    void equalPrioritiesKeepTheirOrderAcrossChannels() {
        subscribe("alice", 1, "a", MANY);
        subscribe("alice", 2, "b", MANY);
        subscribe("alice", 3, "c", MANY);

        publish(
                message("b", 5, 1),
                message("a", 5, 2),
                message("c", 5, 3),
                message("a", 5, 4),
                message("b", 2, 5));

        assertThat(effects.delivered)
                .extracting(Delivered::shortly)
                .containsExactly("2:5", "2:1", "1:2", "3:3", "1:4");
    }

    @Test
    void creditGrantedTogetherIsServedInOneOrder() {
        subscribe("alice", 1, "a", 0);
        subscribe("alice", 2, "b", 0);
        publish(message("b", 5, 1), message("a", 5, 2), message("b", 1, 3));

        step(
                new BusEvent.Credit(
                        now, "alice", List.of(new Frame.Grant(1, 5), new Frame.Grant(2, 5))));

        assertThat(effects.delivered)
                .extracting(Delivered::shortly)
                .containsExactly("2:3", "2:1", "1:2");
    }

    @Test
    void twoSubscriptionsOfOneConnectionToOneChannelBothGetIt() {
        subscribe("alice", 9, "a", MANY);
        subscribe("alice", 3, "a", MANY);

        publish(message("a", 5, 1), message("a", 5, 2));

        assertThat(effects.delivered)
                .extracting(Delivered::shortly)
                .containsExactly("9:1", "3:1", "9:2", "3:2");
    }

    @Test
    void deliveriesOfAConnectionComeTogether() {
        subscribe("alice", 1, "a", MANY);
        subscribe("bob", 1, "a", MANY);
        subscribe("alice", 2, "b", MANY);

        publish(message("a", 5, 1), message("b", 5, 2), message("a", 5, 3));

        assertThat(effects.delivered)
                .extracting(Delivered::connection)
                .containsExactly("alice", "alice", "alice", "bob", "bob");
    }

    @Test
    void channelNumbersHaveNoGaps() {
        create("a", 2, DropPolicy.DROP_NEW);
        publish(message("a", 5, 100));
        subscribe("alice", 1, "a", 1);

        publish(message("a", 5, 101), message("b", 5, 102), message("a", 5, 103));
        publish(message("a", 5, 104), message("a", 5, 105));
        credit("alice", 1, 10);
        publish(message("a", 5, 106));

        // 105 found the queue full and took no number; 100 had one though nobody got it.
        assertThat(effects.delivered)
                .extracting(d -> d.delivery().channelSequence() + "=" + d.sequence())
                .containsExactly("2=101", "3=103", "4=104", "5=106");
    }

    @Test
    void aMessageWithoutPriorityGetsItsChannelsDefault() {
        step(
                new BusEvent.CreateChannel(
                        now, "bob", new ChannelConfig("a", 10, 3, DropPolicy.DROP_NEW)));
        subscribe("alice", 1, "a", MANY);

        publish(message("a", Envelope.DEFAULT_PRIORITY, 1), message("a", 2, 2), message("a", 4, 3));

        assertThat(effects.delivered)
                .extracting(d -> d.delivery().envelope().priority())
                .containsExactly(2L, 3L, 4L);
    }
}
