package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What a bus knew before it ended, it knows after it has started again. */
class RestartTest extends JournalFixture {
    private static final Map<String, @Nullable Object> DURABLE =
            Map.of(
                    "channel",
                    "tasks",
                    "subscription",
                    1L,
                    "credit",
                    100L,
                    "group",
                    "g",
                    "durable",
                    true);

    @Test
    void aDurableGroupGoesOnWhereItWas() throws Exception {
        create("tasks", Map.of());
        BlockingQueue<Frame> inbox = inbox("c-1");
        call(Addresses.MESSAGING_SUBSCRIBE, DURABLE);
        publish("tasks", 1, 5);
        List<Delivery> all = deliveries(inbox, 5);
        settle(
                List.of(
                        Settlement.ack(1, all.get(0).sequence()),
                        Settlement.ack(1, all.get(3).sequence())));

        restart();
        call(Addresses.MESSAGING_SUBSCRIBE, DURABLE);

        assertThat(deliveries(inbox, 3))
                .extracting(delivery -> delivery.envelope().payloadText())
                .containsExactly("\"p2\"", "\"p3\"", "\"p5\"");
    }

    @Test
    void aDelayedMessageIsNotEarlyAndNotForgotten() throws Exception {
        create("tasks", Map.of());
        BlockingQueue<Frame> inbox = inbox("c-1");
        call(Addresses.MESSAGING_SUBSCRIBE, DURABLE);
        long published = System.currentTimeMillis();
        publish(message("tasks", 1, 0, 2_000));
        publish("tasks", 2, 1);

        restart();
        call(Addresses.MESSAGING_SUBSCRIBE, DURABLE);

        String payload;
        do {
            payload = deliveries(inbox, 1).getFirst().envelope().payloadText();
        } while (!payload.equals("\"p1\"")); // The second may come twice before it.
        // Two clocks, the wall's and the daemon's own, are each cut off at the millisecond.
        assertThat(System.currentTimeMillis()).isGreaterThanOrEqualTo(published + 2_000 - 1);
    }

    @Test
    void whatExpiredMeanwhileIsNotDelivered() throws Exception {
        create("tasks", Map.of());
        call(Addresses.MESSAGING_SUBSCRIBE, with(DURABLE, "credit", 0L));
        publish(message("tasks", 1, 300, 0));
        publish("tasks", 2, 1);

        undeploy();
        Thread.sleep(400); // The time to live passes; more makes no difference.
        start();
        BlockingQueue<Frame> inbox = inbox("c-1");
        call(Addresses.MESSAGING_SUBSCRIBE, DURABLE);

        assertThat(deliveries(inbox, 1).getFirst().envelope().payloadText()).isEqualTo("\"p2\"");
    }

    @Test
    void aPersistentChannelThatIsFullRefusesAndDropsNothing() throws Exception {
        create("tasks", Map.of("max_queue_size", 3L, "drop_policy", "drop_old"));
        call(Addresses.MESSAGING_SUBSCRIBE, with(DURABLE, "credit", 0L));
        publish("tasks", 1, 3);

        assertThat(offer(message("tasks", 4, 0, 0)).rejections())
                .containsExactly(new Frame.Rejection(4, ErrorCode.QUEUE_FULL));
        restart();
        call(Addresses.MESSAGING_SUBSCRIBE, with(DURABLE, "credit", 0L));
        assertThat(offer(message("tasks", 5, 0, 0)).rejections())
                .containsExactly(new Frame.Rejection(5, ErrorCode.QUEUE_FULL));
        assertThat(history("tasks", 0, 10))
                .extracting(m -> m.get("payload"))
                .containsExactly("p1", "p2", "p3");
    }

    @Test
    void whatWasTakenBeforeIsNotTakenAgain() throws Exception {
        create("tasks", Map.of("idempotency_key_field", "key", "idempotency_ttl", 3600.0));
        BlockingQueue<Frame> inbox = inbox("c-1");
        call(Addresses.MESSAGING_SUBSCRIBE, DURABLE);
        publish(keyed(1, "a"));
        settle(List.of(Settlement.ack(1, deliveries(inbox, 1).getFirst().sequence())));

        restart();

        assertThat(offer(keyed(1, "a")).rejections())
                .as("the same publisher's number")
                .containsExactly(new Frame.Rejection(1, ErrorCode.DUPLICATE));
        assertThat(offer(keyed(2, "a")).rejections())
                .as("the same key")
                .containsExactly(new Frame.Rejection(2, ErrorCode.DUPLICATE));
        publish(keyed(3, "b"));
        assertThat(history("tasks", 0, 10)).hasSize(2);
    }

    private static Envelope keyed(long number, String key) {
        return message("tasks", number, 0, 0, "{\"key\":\"" + key + "\"}");
    }

    private static Map<String, @Nullable Object> with(
            Map<String, @Nullable Object> params, String name, Object value) {
        Map<String, @Nullable Object> more = new HashMap<>(params);
        more.put(name, value);
        return more;
    }
}
