package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Settlement;
import org.junit.jupiter.api.Test;

/** What was here before: by publisher and number, and by a key in the payload. */
class DuplicatesTest extends NamespaceFixture {
    private long sequence;

    private Envelope keyed(String json) {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        return message("a", 1, 5, ++sequence, 0, body);
    }

    private boolean taken(String json) {
        effects.clear();
        publish(keyed(json));
        assertThat(effects.accepted).as("a duplicate counts as accepted").isEqualTo(1);
        if (effects.rejected.isEmpty()) {
            return true;
        }
        assertThat(effects.rejected)
                .containsExactly(new Frame.Rejection(sequence, ErrorCode.DUPLICATE));
        return false;
    }

    @Test
    void whatAReconnectedClientSendsAgainIsNotQueuedAgain() {
        subscribe("alice", 1, "a", MANY);
        publish("c-1", message("a", 5, 1), message("a", 5, 2));
        step(new BusEvent.ConnectionClosed(now, "c-1"));

        publish("c-2", message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));

        assertThat(effects.delivered).hasSize(3);
        assertThat(effects.accepted).isEqualTo(3);
        assertThat(effects.rejected)
                .containsExactly(
                        new Frame.Rejection(1, ErrorCode.DUPLICATE),
                        new Frame.Rejection(2, ErrorCode.DUPLICATE));
        assertThat(stats("a").duplicates()).isEqualTo(2);
    }

    @Test
    void aRefusedNumberMayComeAgain() {
        create("a", 1, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "a", 0);
        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));
        credit("alice", 1, 5);
        effects.clear();

        publish(message("a", 5, 2), message("a", 5, 3));

        assertThat(effects.rejected).isEmpty();
        assertThat(effects.delivered).hasSize(2);
    }

    @Test
    void theWindowIsExactForWhatItRemembers() {
        for (long seed = 1; seed <= 200; seed++) {
            Random random = new Random(seed);
            PublisherWindow window = new PublisherWindow();
            TreeSet<Long> taken = new TreeSet<>();
            long at = random.nextInt(5_000);
            for (int i = 0; i < 500; i++) {
                at = Math.max(0, at + random.nextInt(20) * (random.nextInt(20) == 0 ? 200 : 1) - 8);
                long newest = taken.isEmpty() ? -1 : taken.last();
                boolean known = taken.contains(at) || newest - at >= PublisherWindow.SIZE;
                assertThat(window.isTaken(at)).as("seed %d, number %d", seed, at).isEqualTo(known);
                if (!known && random.nextBoolean()) {
                    window.take(at);
                    taken.add(at);
                }
            }
        }
    }

    @Test
    void aKeyIsInFlightThenDoneThenForgotten() {
        configure("a", Map.of("idempotency_key_field", "id", "idempotency_ttl", 10.0));
        subscribe("alice", 1, "a", MANY, Terms.ACKNOWLEDGED);

        assertThat(taken("{\"id\": \"x\"}")).isTrue();
        assertThat(taken("{\"id\": \"x\"}")).as("in flight").isFalse();
        ack("alice", 1, 1);
        assertThat(taken("{\"id\": \"x\"}")).as("done").isFalse();
        pass(9_999);
        assertThat(taken("{\"id\": \"x\"}")).as("done").isFalse();
        pass(1);
        assertThat(taken("{\"id\": \"x\"}")).as("forgotten").isTrue();
        assertThat(stats("a").duplicates()).isEqualTo(3);
    }

    @Test
    void whatFailedMayBeSentAgain() {
        configure("a", Map.of("idempotency_key_field", "id"));
        subscribe("alice", 1, "a", MANY, Terms.ACKNOWLEDGED);
        assertThat(taken("{\"id\": \"x\"}")).isTrue();

        nack("alice", 1, 1, 1_000);
        assertThat(taken("{\"id\": \"x\"}")).as("it will be tried again").isFalse();
        pass(1_000);
        settle("alice", new Settlement(1, Settlement.Kind.TERM, 1, 0, ""));

        assertThat(taken("{\"id\": \"x\"}")).isTrue();
    }

    @Test
    void whatNobodyGotMayBeSentAgain() {
        configure("a", Map.of("idempotency_key_field", "id", "max_queue_size", 1L));
        assertThat(taken("{\"id\": \"x\"}")).as("nobody is there").isTrue();
        subscribe("alice", 1, "a", 0);
        assertThat(taken("{\"id\": \"x\"}")).isTrue();
        publish(keyed("{\"id\": \"y\"}"));
        assertThat(effects.rejected.getLast().code()).isEqualTo(ErrorCode.QUEUE_FULL);
        credit("alice", 1, 1);

        assertThat(taken("{\"id\": \"y\"}")).isTrue();
        assertThat(taken("{\"id\": \"x\"}")).as("it was delivered").isFalse();
    }

    @Test
    void keysHaveTypesAndMayBeNested() {
        configure("a", Map.of("idempotency_key_field", "id"));
        subscribe("alice", 1, "a", MANY);

        assertThat(taken("{\"id\": \"1\"}")).isTrue();
        assertThat(taken("{\"id\": 1}")).isTrue();
        assertThat(taken("{\"id\": true}")).isTrue();
        assertThat(taken("{\"payload\": {\"id\": \"2\"}, \"id\": \"1\"}")).isTrue();
        assertThat(taken("{\"id\": \"2\"}")).isFalse();
        assertThat(taken("{\"payload\": {}, \"id\": \"1\"}")).isFalse();
        for (String none : List.of("{\"id\": null}", "{}", "[1]", "no JSON", "{\"id\": null}")) {
            assertThat(taken(none)).isTrue();
        }
    }

    @Test
    void soManyKeysAreRemembered() {
        configure("a", Map.of("idempotency_key_field", "id", "idempotency_keys", 2L));
        subscribe("alice", 1, "a", MANY);
        for (int i = 1; i <= 3; i++) {
            assertThat(taken("{\"id\": %d}".formatted(i))).isTrue();
        }

        assertThat(taken("{\"id\": 3}")).isFalse();
        assertThat(taken("{\"id\": 2}")).isFalse();
        assertThat(taken("{\"id\": 1}")).isTrue();
    }
}
