package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import neuralcore.bus.RecordedEffects.Delivered;
import org.junit.jupiter.api.Test;

/** How much may be delivered. */
class CreditTest extends NamespaceFixture {
    @Test
    void noMoreIsDeliveredThanCreditAllows() {
        subscribe("alice", 1, "a", 2);
        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));
        assertThat(effects.delivered).hasSize(2);

        publish(message("a", 5, 4));
        assertThat(effects.delivered).hasSize(2);

        credit("alice", 1, 1);
        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(1L, 2L, 3L);
    }

    @Test
    void aSubscriberWithoutCreditDelaysNoOther() {
        subscribe("slow", 1, "a", 0);
        subscribe("fast", 1, "a", MANY);
        create("a", 3, DropPolicy.DROP_NEW);

        for (int i = 0; i < 10; i++) {
            publish(message("a", 5, i));
            assertThat(effects.accepted).isEqualTo(1);
        }

        assertThat(effects.delivered).hasSize(10);
        assertThat(effects.delivered).allMatch(d -> d.connection().equals("fast"));
        assertThat(effects.rejected).isEmpty();
        ChannelStats stats = stats("a");
        assertThat(stats.copies()).isEqualTo(20);
        assertThat(stats.dropped()).isEqualTo(7);
        assertThat(stats.queued()).isEqualTo(3);
    }

    @Test
    void creditBeyondAnIntegerIsCapped() {
        subscribe("alice", 1, "a", Integer.MAX_VALUE);
        credit("alice", 1, Integer.MAX_VALUE);

        publish(message("a", 5, 1));

        assertThat(effects.delivered).hasSize(1);
    }

    @Test
    void creditForWhatIsNotThereIsIgnored() {
        credit("nobody", 1, 5);
        subscribe("alice", 1, "a", 0);
        credit("alice", 2, 5);

        publish(message("a", 5, 1));

        assertThat(effects.delivered).isEmpty();
    }
}
