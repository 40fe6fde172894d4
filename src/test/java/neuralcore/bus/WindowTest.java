package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import org.junit.jupiter.api.Test;

/** How many bytes may be under way to one connection. */
class WindowTest {
    private static final int MANY = 1_000_000;
    private static final int MESSAGE = delivered(message("a", 5, 1));

    private static final Terms GROUP =
            new Terms(false, "g", "", 1, Backoff.STANDARD, Terms.STANDARD_LEASE_MILLIS, null, null);

    private final Namespaces bus =
            new Namespaces(
                    BusSettings.of(1000, 100), new Surroundings(() -> 0, () -> 0, new Random(7)));
    private final RecordedEffects effects = new RecordedEffects();
    private long sequence;

    @Test
    void noMoreIsUnderWayThanTheWindowAndOneMessage() {
        subscribe("one", "alice", 1, "a", 2 * MESSAGE + 1);
        subscribe("one", "alice", 2, "a", 2 * MESSAGE + 1);

        publish("one", "a", 3);
        assertThat(effects.delivered).hasSize(3);

        flushed("alice", MESSAGE);
        assertThat(effects.delivered).hasSize(4);

        flushed("alice", 3 * MESSAGE);
        assertThat(shortly()).containsExactly("1:1", "2:1", "1:2", "2:2", "1:3", "2:3");
    }

    @Test
    void whatIsLargerThanTheWindowGoesToo() {
        subscribe("one", "alice", 1, "a", 10);

        publish("one", "a", 2);
        assertThat(effects.delivered).hasSize(1);

        flushed("alice", MESSAGE);
        assertThat(effects.delivered).hasSize(2);
    }

    @Test
    void whatWaitsForRoomGoesMostUrgentFirst() {
        subscribe("one", "alice", 1, "a", MESSAGE);
        subscribe("one", "alice", 2, "b", MESSAGE);
        publish("one", "a", 3);

        publish("one", message("b", 0, 100));
        flushed("alice", MESSAGE);
        flushed("alice", MESSAGE);

        assertThat(shortly()).containsExactly("1:1", "2:100", "1:2");
    }

    @Test
    void othersAreNotHeldUp() {
        subscribe("one", "slow", 1, "a", MESSAGE);
        subscribe("one", "fast", 1, "a", MANY);

        publish("one", "a", 5);

        assertThat(effects.delivered).filteredOn(one -> one.connection().equals("fast")).hasSize(5);
        assertThat(effects.rejected).isEmpty();
    }

    @Test
    void namespacesOfOneConnectionShareItAndTakeTurns() {
        subscribe("one", "alice", 1, "a", MESSAGE);
        subscribe("two", "alice", 2, "a", MESSAGE);

        publish("one", "a", 3);
        publish("two", "a", 3);
        for (int i = 0; i < 5; i++) {
            flushed("alice", MESSAGE);
        }

        assertThat(shortly()).containsExactly("1:1", "1:2", "2:4", "1:3", "2:5", "2:6");
    }

    @Test
    void aGroupPassesOverAMemberWithoutRoom() {
        subscribe("one", "slow", 1, "a", GROUP, MESSAGE);
        subscribe("one", "fast", 2, "a", GROUP, MANY);

        publish("one", "a", 4);
        assertThat(shortly()).containsExactly("1:1", "2:2", "2:3", "2:4");

        flushed("slow", MESSAGE);
        publish("one", "a", 2);
        assertThat(shortly()).endsWith("2:5", "1:6");
    }

    @Test
    void aGroupWaitsForTheFirstMemberThatHasRoom() {
        subscribe("one", "slow", 1, "a", GROUP, MESSAGE);
        subscribe("one", "slower", 2, "a", GROUP, MESSAGE);
        publish("one", "a", 4);
        assertThat(shortly()).containsExactly("1:1", "2:2");

        flushed("slower", MESSAGE);
        flushed("slow", MESSAGE);

        assertThat(shortly()).containsExactly("1:1", "2:2", "2:3", "1:4");
    }

    @Test
    void whatASubscriptionIsOwedThatEndedDoesNotCome() {
        subscribe("one", "alice", 1, "a", MESSAGE);
        subscribe("one", "alice", 2, "a", MESSAGE);
        publish("one", "a", 2);

        bus.step(new BusEvent.Unsubscribe(0, "alice", 1), effects);
        flushed("alice", MESSAGE);
        flushed("alice", MESSAGE);

        assertThat(shortly()).containsExactly("1:1", "2:1", "2:2");
    }

    @Test
    void aConnectionThatBeginsAnewHasAllOfItsWindow() {
        subscribe("one", "alice", 1, "a", MESSAGE);
        publish("one", "a", 2);
        bus.step(new BusEvent.Unsubscribe(0, "alice", 1), effects);

        subscribe("one", "alice", 1, "a", MESSAGE);
        flushed("alice", MESSAGE);
        publish("one", "a", 2);

        assertThat(shortly()).containsExactly("1:1", "1:3");
    }

    private static int delivered(Envelope message) {
        return new Delivery(1, 1, 1, 1, false, message).bytes();
    }

    private List<String> shortly() {
        return effects.delivered.stream().map(Delivered::shortly).toList();
    }

    private void subscribe(
            String namespace, String connection, int id, String channel, long window) {
        subscribe(namespace, connection, id, channel, Terms.PLAIN, window);
    }

    private void subscribe(
            String namespace, String connection, int id, String channel, Terms terms, long window) {
        bus.step(
                namespace,
                new BusEvent.Subscribe(0, connection, id, channel, MANY, terms, window),
                effects);
    }

    private void publish(String namespace, String channel, int messages) {
        for (int i = 0; i < messages; i++) {
            publish(namespace, message(channel, 5, ++sequence));
        }
    }

    private void publish(String namespace, Envelope message) {
        bus.step(namespace, new BusEvent.Publish(0, "bob", List.of(message)), effects);
    }

    private void flushed(String connection, int bytes) {
        bus.step(
                new BusEvent.Credit(
                        0, connection, List.of(new Frame.Grant(Frame.Grant.CONNECTION, bytes))),
                effects);
    }
}
