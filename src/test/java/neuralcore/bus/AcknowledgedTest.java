package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Payloads;
import neuralcore.wire.Settlement;
import org.junit.jupiter.api.Test;
import org.msgpack.core.MessagePack;

/** Deliveries that are to be settled: leases, retries, and where they end. */
class AcknowledgedTest extends NamespaceFixture {
    private static final Backoff EXACT = new Backoff(100, 1_000, 2, 0);

    private static Terms terms(int maxAttempts) {
        return new Terms(true, null, "worker", maxAttempts, EXACT, 5_000, null, null);
    }

    private List<Long> sequences() {
        return effects.delivered.stream().map(Delivered::sequence).toList();
    }

    private List<Integer> attempts() {
        return effects.delivered.stream().map(d -> d.delivery().attempt()).toList();
    }

    @Test
    void anAcknowledgedDeliveryGivesItsCreditBack() {
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 5, 1), message("a", 5, 2));
        assertThat(sequences()).containsExactly(1L);

        ack("alice", 1, 1);

        assertThat(effects.settled).isEqualTo(1);
        assertThat(sequences()).containsExactly(1L, 2L);
        assertThat(stats("a").acknowledged()).isEqualTo(1);
        assertThat(stats("a").inFlight()).isEqualTo(1);
    }

    @Test
    void whatIsSettledTwiceIsUnknown() {
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 5, 1));
        ack("alice", 1, 1);

        ack("alice", 1, 1);
        ack("alice", 7, 1);
        ack("mallory", 1, 1);

        assertThat(effects.settled).isEqualTo(1);
        assertThat(effects.unknown).isEqualTo(3);
    }

    @Test
    void aRefusedDeliveryComesBackAfterItsBackoff() {
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 5, 1), message("a", 5, 2));

        nack("alice", 1, 1, Settlement.BY_BACKOFF);
        assertThat(sequences()).as("nobody waits for it").containsExactly(1L, 2L);
        ack("alice", 1, 2);
        pass(99);
        assertThat(effects.delivered).hasSize(2);
        pass(1);

        assertThat(sequences()).containsExactly(1L, 2L, 1L);
        assertThat(attempts()).containsExactly(1, 1, 2);
        nack("alice", 1, 1, Settlement.BY_BACKOFF);
        pass(199);
        assertThat(effects.delivered).hasSize(3);
        pass(1);
        assertThat(attempts()).containsExactly(1, 1, 2, 3);
        assertThat(stats("a").returned()).isEqualTo(2);
    }

    @Test
    void aRefusalCanNameItsDelay() {
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 5, 1));

        nack("alice", 1, 1, 0);
        assertThat(attempts()).containsExactly(1, 2);
        nack("alice", 1, 1, 40);
        pass(39);
        assertThat(effects.delivered).hasSize(2);
        pass(1);
        assertThat(attempts()).containsExactly(1, 2, 3);
    }

    @Test
    void aRedeliveryTakesItsOldPlace() {
        subscribe("alice", 1, "a", 2, terms(0));
        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3), message("a", 5, 4));

        nack("alice", 1, 2, 50);
        nack("alice", 1, 1, 50);
        assertThat(sequences()).containsExactly(1L, 2L, 3L, 4L);
        pass(50);
        settle("alice", Settlement.ack(1, 3), Settlement.ack(1, 4));

        assertThat(sequences()).containsExactly(1L, 2L, 3L, 4L, 1L, 2L);
    }

    @Test
    void aLeaseThatRunsOutIsAFailedAttempt() {
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 5, 1));

        pass(4_999);
        assertThat(effects.delivered).hasSize(1);
        pass(1);

        assertThat(attempts()).containsExactly(1, 2);
        assertThat(stats("a").returned()).isEqualTo(1);
    }

    @Test
    void aLeaseCanBeExtended() {
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 5, 1));

        pass(4_000);
        settle("alice", new Settlement(1, Settlement.Kind.EXTEND, 1, 10_000, ""));
        pass(9_999);
        assertThat(effects.delivered).hasSize(1);
        pass(1);
        assertThat(attempts()).containsExactly(1, 2);
    }

    @Test
    void afterItsLastAttemptAMessageIsADeadLetter() throws IOException {
        configure("a", Map.of("dead_letter_channel", "dead"));
        subscribe("alice", 1, "a", 1, terms(2));
        subscribe("carol", 1, "dead", MANY);
        Envelope message =
                new Envelope(
                        "a",
                        0xabc,
                        77,
                        1_500_000_000L,
                        5,
                        0,
                        0,
                        Envelope.MSGPACK,
                        Envelope.JSON,
                        join(pack("text", new byte[] {1, 2}), "{\"trace_id\": \"t-1\"}"),
                        pack("text", new byte[] {1, 2}).length);
        publish(message);
        nack("alice", 1, 1, 0);
        String reason = "{\"error_type\": \"ValueError\", \"error\": \"no\", \"traceback\": \"…\"}";

        settle("alice", new Settlement(1, Settlement.Kind.NACK, 1, 0, reason));

        Delivered letter = effects.delivered.getLast();
        assertThat(letter.connection()).isEqualTo("carol");
        Envelope envelope = letter.delivery().envelope();
        assertThat(envelope.priority()).isZero();
        Map<?, ?> payload = (Map<?, ?>) Payloads.payload(envelope);
        assertThat(payload.keySet().stream().map(Object::toString))
                .containsExactly(
                        "origin_channel",
                        "subscriber",
                        "error_type",
                        "error",
                        "traceback",
                        "message");
        assertThat(payload.get("origin_channel")).isEqualTo("a");
        assertThat(payload.get("subscriber")).isEqualTo("worker");
        assertThat(payload.get("error_type")).isEqualTo("ValueError");
        assertThat(payload.get("error")).isEqualTo("no");
        Map<?, ?> original = (Map<?, ?>) payload.get("message");
        assertThat(original.get("id")).isEqualTo(message.id());
        assertThat(original.get("ts")).isEqualTo(1.5);
        assertThat(original.get("priority")).isEqualTo(5L);
        assertThat(original.get("payload")).isEqualTo(Map.of("text", "AQI="));
        assertThat(original.get("meta")).isEqualTo(Map.of("trace_id", "t-1"));
        assertThat(Payloads.meta(envelope))
                .isEqualTo(Map.of("trace_id", "t-1", "dlq", true, "origin_msg_id", message.id()));
        assertThat(stats("a").dead()).isEqualTo(1);
        assertThat(stats("a").inFlight()).isZero();
    }

    @Test
    void aTerminatedDeliveryIsADeadLetterAtOnce() {
        configure("a", Map.of("dead_letter_channel", "dead"));
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 5, 1));

        settle("alice", new Settlement(1, Settlement.Kind.TERM, 1, 0, "not even JSON"));

        assertThat(stats("dead").published()).isEqualTo(1);
        pass(100_000);
        assertThat(effects.delivered).hasSize(1);
    }

    @Test
    void aDeadLetterThatFailsIsNoDeadLetterAgain() {
        configure("a", Map.of("dead_letter_channel", "a"));
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 5, 1));
        settle("alice", new Settlement(1, Settlement.Kind.TERM, 1, 0, ""));
        assertThat(effects.delivered).hasSize(2);

        settle(
                "alice",
                new Settlement(
                        1,
                        Settlement.Kind.TERM,
                        effects.delivered.getLast().delivery().sequence(),
                        0,
                        ""));

        assertThat(stats("a").dead()).isEqualTo(2);
        assertThat(stats("a").published()).isEqualTo(2);
    }

    @Test
    void nobodyButTheBusPublishesAsTheBus() {
        publish(message("a", 0, 5, 1, 0));

        assertThat(effects.rejected).hasSize(1);
        assertThat(effects.rejected.getFirst().code()).isEqualTo(ErrorCode.INVALID_REQUEST);
    }

    @Test
    void whatAnEndedSubscriptionHadNotSettledIsAbandoned() {
        subscribe("alice", 1, "a", 2, terms(0));
        publish(message("a", 5, 1), message("a", 5, 2), message("a", 5, 3));
        nack("alice", 1, 1, 1_000);
        assertThat(stats("a").inFlight()).isEqualTo(2);

        step(new BusEvent.ConnectionClosed(now, "alice"));
        pass(100_000);

        ChannelStats stats = stats("a");
        assertThat(stats.abandoned()).isEqualTo(3);
        assertThat(stats.inFlight()).isZero();
        assertThat(stats.queued()).isZero();
        assertThat(stats.copies())
                .isEqualTo(stats.delivered() - stats.returned() + stats.abandoned());
    }

    @Test
    void aMessageThatComesBackStillExpires() {
        subscribe("alice", 1, "a", 1, terms(0));
        publish(message("a", 1, 5, 1, 100), message("a", 1, 5, 2, 10));
        pass(10);
        assertThat(stats("a").expired()).isEqualTo(1);
        publish(message("a", 0, 3));
        nack("alice", 1, 1, 0);
        assertThat(sequences()).containsExactly(1L, 3L);

        pass(90);

        assertThat(stats("a").queued()).isZero();
        assertThat(stats("a").expired()).isEqualTo(2);
    }

    @Test
    void jitterOnlyShortensTheBackoff() {
        Backoff backoff = new Backoff(1_000, 4_000, 2, 0.5);
        for (int i = 0; i < 100; i++) {
            assertThat(backoff.delayMillis(1, surroundings.random())).isBetween(500L, 1_000L);
            assertThat(backoff.delayMillis(60, surroundings.random())).isBetween(2_000L, 4_000L);
        }
    }

    private static byte[] pack(String key, byte[] value) throws IOException {
        try (var packer = MessagePack.newDefaultBufferPacker()) {
            packer.packMapHeader(1).packString(key);
            packer.packBinaryHeader(value.length).writePayload(value);
            return packer.toByteArray();
        }
    }

    private static byte[] join(byte[] payload, String meta) {
        byte[] text = meta.getBytes(java.nio.charset.StandardCharsets.UTF_8);
        byte[] body = java.util.Arrays.copyOf(payload, payload.length + text.length);
        System.arraycopy(text, 0, body, payload.length, text.length);
        return body;
    }
}
