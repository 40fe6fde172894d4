package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.ErrorCode;
import org.junit.jupiter.api.Test;

/** Members of a group compete for its messages. */
class GroupsTest extends NamespaceFixture {
    private static Terms group(boolean acknowledged) {
        return new Terms(
                acknowledged, "workers", "", 3, new Backoff(100, 100, 1, 0), 5_000, null, null);
    }

    private List<String> receivers() {
        return effects.delivered.stream().map(Delivered::connection).toList();
    }

    @Test
    void eachMessageGoesToOneMemberInTurn() {
        subscribe("alice", 1, "a", MANY, group(false));
        subscribe("bob", 1, "a", MANY, group(false));
        subscribe("watcher", 1, "a", MANY);

        for (int i = 1; i <= 4; i++) {
            publish(message("a", 5, i));
        }

        assertThat(receivers().stream().filter(r -> !r.equals("watcher")))
                .containsExactly("alice", "bob", "alice", "bob");
        assertThat(receivers().stream().filter("watcher"::equals)).hasSize(4);
        assertThat(stats("a").copies()).isEqualTo(8);
        assertThat(stats("a").subscriptions()).isEqualTo(3);
    }

    @Test
    void whoHasNoCreditIsPassedOver() {
        subscribe("alice", 1, "a", 1, group(false));
        subscribe("bob", 1, "a", 0, group(false));

        publish(message("a", 5, 1), message("a", 5, 2), message("a", 1, 3));
        assertThat(effects.delivered).extracting(Delivered::shortly).containsExactly("1:3");
        credit("bob", 1, 5);

        assertThat(receivers()).containsExactly("alice", "bob", "bob");
        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(3L, 1L, 2L);
    }

    @Test
    void aGroupsDeliveriesKeepTheirPlaceAmongOthersOfTheConnection() {
        subscribe("alice", 1, "a", MANY, group(false));
        subscribe("alice", 2, "b", MANY);

        publish(message("a", 5, 1), message("b", 5, 2), message("a", 5, 3), message("b", 0, 4));

        assertThat(effects.delivered)
                .extracting(Delivered::shortly)
                .containsExactly("2:4", "1:1", "2:2", "1:3");
    }

    @Test
    void whatAMemberHadNotSettledGoesToTheOthers() {
        subscribe("alice", 1, "a", 1, group(true));
        subscribe("bob", 1, "a", 1, group(true));
        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));
        assertThat(receivers()).containsExactly("alice", "bob");

        step(new BusEvent.ConnectionClosed(now, "alice"));
        ack("bob", 1, 2);

        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(1L, 2L, 1L);
        assertThat(effects.delivered.getLast().delivery().attempt()).isEqualTo(2);
        ack("bob", 1, 1);
        assertThat(effects.delivered.getLast().sequence()).isEqualTo(3);
    }

    @Test
    void aGroupEndsWithItsLastMember() {
        subscribe("alice", 1, "a", 1, group(true));
        subscribe("bob", 1, "a", 0, group(true));
        publish(message("a", 5, 1), message("a", 5, 2));

        step(new BusEvent.Unsubscribe(now, "bob", 1));
        assertThat(stats("a").subscriptions()).isEqualTo(1);
        step(new BusEvent.Unsubscribe(now, "alice", 1));

        assertThat(stats("a").subscriptions()).isZero();
        assertThat(stats("a").abandoned()).isEqualTo(2);
        publish(message("a", 5, 3));
        assertThat(stats("a").unrouted()).isEqualTo(1);
    }

    @Test
    void allMembersSettleOrNoneDoes() {
        subscribe("alice", 1, "a", 1, group(true));

        assertRefused(
                ErrorCode.INVALID_REQUEST,
                new BusEvent.Subscribe(now, "bob", 1, "a", 1, group(false)));
    }

    @Test
    void whatIsUrgentIsNextForEachIdleMember() {
        create("a", 0, DropPolicy.DROP_NEW);
        for (int i = 1; i <= 4; i++) {
            subscribe("worker-" + i, 1, "a", 0, group(false));
        }
        for (int i = 1; i <= 10_000; i++) {
            publish(message("a", 9, i));
        }
        for (int i = 1; i <= 4; i++) {
            publish(message("a", 0, 20_000 + i));
        }

        for (int i = 4; i >= 1; i--) {
            credit("worker-" + i, 1, 1);
        }

        assertThat(effects.delivered)
                .extracting(Delivered::sequence)
                .containsExactly(20_001L, 20_002L, 20_003L, 20_004L);
        assertThat(receivers()).containsExactly("worker-4", "worker-3", "worker-2", "worker-1");
    }

    @Test
    void creditOfAllMembersIsRoom() {
        create("a", 2, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "a", 2, group(false));
        subscribe("bob", 1, "a", 1, group(false));

        publish(
                message("a", 5, 1),
                message("a", 5, 2),
                message("a", 5, 3),
                message("a", 5, 4),
                message("a", 5, 5),
                message("a", 5, 6));

        assertThat(effects.accepted).isEqualTo(5);
        assertThat(stats("a").queued()).isEqualTo(2);
    }
}
