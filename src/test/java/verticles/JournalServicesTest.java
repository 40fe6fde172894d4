package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.Delivery;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Payloads;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What can be asked of a bus's journals, over the event bus, on real files. */
class JournalServicesTest extends JournalFixture {
    @Test
    void historyComesByPages() {
        create("tasks", Map.of());
        publish("tasks", 1, 7);

        List<Map<String, Object>> first = history("tasks", 0, 3);
        assertThat(first).extracting(m -> m.get("payload")).containsExactly("p1", "p2", "p3");
        assertThat(first).extracting(m -> m.get("channel_sequence")).containsExactly(1L, 2L, 3L);
        assertThat(first).extracting(m -> m.get("priority")).containsOnly(5L);
        long after = (long) first.getLast().get("sequence");
        assertThat(history("tasks", after, 100))
                .extracting(m -> m.get("payload"))
                .containsExactly("p4", "p5", "p6", "p7");
        assertThat(history("unknown", 0, 100)).isEmpty();
        assertThatThrownBy(() -> history("tasks", 0, 1001)).isInstanceOf(NeuralCoreException.class);
    }

    @Test
    void deadLettersAreShownAndPutBack() throws Exception {
        create("letters", Map.of());
        create("tasks", Map.of("dead_letter_channel", "letters", "max_attempts", 1L));
        BlockingQueue<Frame> inbox = inbox("c-1");
        call(
                Addresses.MESSAGING_SUBSCRIBE,
                Map.of(
                        "channel",
                        "tasks",
                        "subscription",
                        1L,
                        "credit",
                        10L,
                        "group",
                        "g",
                        "durable",
                        true));
        publish("tasks", 1, 2);
        List<Settlement> settlements = new ArrayList<>();
        for (Delivery delivery : deliveries(inbox, 2)) {
            settlements.add(
                    new Settlement(
                            1,
                            Settlement.Kind.TERM,
                            delivery.sequence(),
                            -1,
                            "{\"error_type\":\"ValueError\",\"error\":\"no\"}"));
        }
        settle(settlements);

        List<Map<String, Object>> letters =
                messages(Addresses.MESSAGING_DEAD_LETTERS, Map.of("channel", "tasks"));
        assertThat(letters).hasSize(2);
        assertThat(String.valueOf(letters.getFirst().get("payload")))
                .contains("origin_channel=tasks", "error_type=ValueError");

        assertThat(call(Addresses.MESSAGING_REQUEUE, Map.of("channel", "tasks")))
                .containsEntry("requeued", 2L);
        assertThat(deliveries(inbox, 2))
                .extracting(delivery -> Payloads.payload(delivery.envelope()))
                .containsExactly("p1", "p2");
    }

    @Test
    void whatIsPrunedOrPurgedIsGoneAndCounted() throws Exception {
        create("tasks", Map.of());
        publish("tasks", 1, 10);
        call(Addresses.MESSAGING_PRUNE, Map.of("channel", "tasks", "up_to", 2L));
        awaitOldest("p3");
        call(Addresses.MESSAGING_PRUNE, Map.of("channel", "tasks", "keep", 4L));
        awaitOldest("p7");
        assertThat(stats("tasks")).containsEntry("pruned", 6L);
        call(Addresses.MESSAGING_PURGE, Map.of("channel", "tasks"));
        awaitOldest(null);
        assertThat(stats("tasks"))
                .containsEntry("pruned", 10L)
                .containsEntry("pruned_unacknowledged", 0L);
        publish("tasks", 11, 1);
        assertThat(history("tasks", 0, 10))
                .extracting(m -> m.get("channel_sequence"))
                .containsExactly(11L);
    }

    @Test
    void retentionMayTakeWhatNobodyAcknowledgedAndSaysSo() throws Exception {
        create("tasks", Map.of("retention_rows", 3L, "prune_unacknowledged", true));
        call(
                Addresses.MESSAGING_SUBSCRIBE,
                Map.of(
                        "channel",
                        "tasks",
                        "subscription",
                        1L,
                        "credit",
                        0L,
                        "group",
                        "g",
                        "durable",
                        true));
        publish("tasks", 1, 10);
        awaitOldest("p8");
        assertThat(stats("tasks"))
                .containsEntry("pruned", 7L)
                .containsEntry("pruned_unacknowledged", 7L);
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (meter("neuralcore.bus.pruned") < 7
                || meter("neuralcore.bus.pruned_unacknowledged") < 7) {
            assertThat(System.nanoTime()).as("the meters").isLessThan(end);
            Thread.sleep(10);
        }
    }

    private double meter(String name) {
        return registry.get(name).functionCounter().count();
    }

    @Test
    void aBackupCanBeOpenedAsAnotherNamespaceAndImported() {
        create("tasks", Map.of());
        publish("tasks", 1, 5);
        Path copy = folder.resolve("copy.journal");

        call(Addresses.MESSAGING_BACKUP, Map.of("path", copy.toString()));
        publish("tasks", 6, 1);
        call(Addresses.MESSAGING_OPEN, Map.of("namespace", "copied", "path", copy.toString()));

        Map<String, @Nullable Object> page =
                Map.of("namespace", "copied", "channel", "tasks", "limit", 100L);
        assertThat(messages(Addresses.MESSAGING_HISTORY, page)).hasSize(5);
        assertFails(
                ErrorCode.ALREADY_EXISTS,
                () -> call(Addresses.MESSAGING_BACKUP, Map.of("path", copy.toString())));
        assertFails(
                ErrorCode.ALREADY_EXISTS,
                () ->
                        call(
                                Addresses.MESSAGING_OPEN,
                                Map.of("path", folder.resolve("other").toString())));
        // A journal has ATLAS's table as a view, so it is a file that can be imported too.
        assertThat(
                        call(
                                Addresses.MESSAGING_IMPORT,
                                Map.of("namespace", "imported", "path", copy.toString())))
                .containsEntry("imported", 5L)
                .containsEntry("unreadable", 0L);
        Map<String, @Nullable Object> imported =
                Map.of("namespace", "imported", "channel", "tasks", "limit", 100L);
        assertThat(messages(Addresses.MESSAGING_HISTORY, imported))
                .extracting(m -> m.get("payload"))
                .containsExactly("p1", "p2", "p3", "p4", "p5");
    }
}
