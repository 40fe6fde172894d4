package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;

class NamespacesTest {
    private static final int MANY = 1_000_000;

    private final Namespaces bus =
            new Namespaces(
                    new BusSettings(
                            1000,
                            100,
                            DropPolicy.DROP_NEW,
                            3,
                            100,
                            100,
                            Duration.ofMinutes(10),
                            Profiles.NONE),
                    new Surroundings(() -> 0, () -> 0, new Random(7)));
    private final RecordedEffects effects = new RecordedEffects();
    private long now = 1_000;

    @Test
    void channelsOfOneNameInTwoNamespacesAreStrangers() {
        subscribe("atlas", "alice", 1, "jobs");
        subscribe("other", "bob", 1, "jobs");

        publish("atlas", "carol", message("jobs", 5, 1));

        assertThat(effects.delivered).extracting(Delivered::connection).containsExactly("alice");
        assertThat(bus.stats("other", "bob").get("jobs"))
                .extracting(ChannelStats::published)
                .isEqualTo(0L);
    }

    @Test
    void aPatternKeepsItsNamespaceBeforeTheFirstChannel() {
        subscribe("atlas", "alice", 1, "llm.*");
        step(new BusEvent.Tick(now));

        publish("atlas", "carol", message("llm.request", 5, 1));

        assertThat(effects.delivered).extracting(Delivered::connection).containsExactly("alice");
    }

    @Test
    void aSubscriptionNumberIsUniqueOverNamespaces() {
        subscribe("atlas", "alice", 1, "jobs");

        assertRefused(ErrorCode.ALREADY_EXISTS, () -> subscribe("other", "alice", 1, "somewhere"));

        step(new BusEvent.Unsubscribe(now, "alice", 1));
        subscribe("other", "alice", 1, "somewhere");
        assertRefused(ErrorCode.NOT_FOUND, () -> step(new BusEvent.Unsubscribe(now, "alice", 2)));
    }

    @Test
    void creditFindsItsNamespaces() {
        subscribe("atlas", "alice", 1, "jobs", 0);
        subscribe("other", "alice", 2, "jobs", 0);
        publish("atlas", "bob", message("jobs", 5, 1));
        publish("other", "bob", message("jobs", 5, 2));

        step(
                new BusEvent.Credit(
                        now,
                        "alice",
                        List.of(
                                new Frame.Grant(2, 1),
                                new Frame.Grant(1, 1),
                                new Frame.Grant(3, 1))));
        step(new BusEvent.Credit(now, "nobody", List.of(new Frame.Grant(1, 1))));

        assertThat(effects.delivered)
                .extracting(Delivered::shortly)
                .containsExactlyInAnyOrder("1:1", "2:2");
    }

    @Test
    void aPrivateNamespaceIsItsFirstUsersAlone() {
        publish("private-x", "alice", message("jobs", 5, 1));

        assertRefused(
                ErrorCode.ACCESS_DENIED, () -> publish("private-x", "bob", message("jobs", 5, 1)));
        assertRefused(ErrorCode.ACCESS_DENIED, () -> subscribe("private-x", "bob", 1, "jobs"));
        assertRefused(ErrorCode.ACCESS_DENIED, () -> bus.stats("private-x", "bob"));
        assertRefused(ErrorCode.ACCESS_DENIED, () -> bus.close("private-x", "bob"));
        assertThat(bus.stats("private-x", "alice")).containsOnlyKeys("jobs");
    }

    @Test
    void aPrivateNamespaceEndsWithItsConnection() {
        subscribe("private-x", "alice", 1, "jobs");
        publish("private-x", "alice", message("jobs", 5, 1));

        step(new BusEvent.ConnectionClosed(now, "alice"));

        assertThat(bus.size()).isZero();
        assertThat(bus.totals().delivered()).isEqualTo(1);
        assertThat(bus.totals().subscriptions()).isZero();
        subscribe("private-x", "bob", 1, "jobs");
        assertThat(bus.stats("private-x", "bob").get("jobs"))
                .extracting(ChannelStats::published)
                .isEqualTo(0L);
    }

    @Test
    void aClientFindsItsPrivateNamespaceByAnotherConnection() {
        stepAs("alice", new BusEvent.Subscribe(now, "a-1", 1, "jobs", MANY));
        stepAs("alice", new BusEvent.Publish(now, "a-2", List.of(message("jobs", 5, 1))));
        assertRefused(
                ErrorCode.ACCESS_DENIED,
                () -> stepAs("bob", new BusEvent.Subscribe(now, "b-1", 1, "jobs", MANY)));

        step(new BusEvent.ConnectionClosed(now, "a-1"));

        assertThat(bus.stats("private-x", "alice").get("jobs"))
                .extracting(ChannelStats::published)
                .isEqualTo(1L);
        step(new BusEvent.ConnectionClosed(now, "a-2"));
        assertThat(bus.size()).isZero();
    }

    @Test
    void closingEndsAPrivateNamespaceForAllItsClientsConnections() {
        stepAs("alice", new BusEvent.Subscribe(now, "a-1", 1, "jobs", 0));
        stepAs("alice", new BusEvent.Subscribe(now, "a-2", 1, "jobs", 0));

        bus.close("private-x", "alice");

        assertThat(bus.size()).isZero();
        subscribe("atlas", "a-1", 1, "jobs");
        subscribe("atlas", "a-2", 1, "jobs");
    }

    @Test
    void closingEndsAPrivateNamespaceAndFreesItsSubscriptions() {
        subscribe("private-x", "alice", 1, "jobs", 0);
        publish("private-x", "alice", message("jobs", 5, 1));

        bus.close("private-x", "alice");
        bus.close("private-x", "alice");

        assertThat(bus.size()).isZero();
        assertThat(bus.totals().abandoned()).isEqualTo(1);
        assertThat(bus.totals().queued()).isZero();
        subscribe("atlas", "alice", 1, "jobs");
    }

    @Test
    void aSharedNamespaceCannotBeClosedAndOutlivesItsClients() {
        subscribe("atlas", "alice", 1, "jobs");

        assertRefused(ErrorCode.INVALID_REQUEST, () -> bus.close("atlas", "alice"));
        step(new BusEvent.ConnectionClosed(now, "alice"));

        assertThat(bus.stats("atlas", "bob")).containsOnlyKeys("jobs");
    }

    @Test
    void aNamespaceTooManyIsRefusedUntilAnotherHasBeenIdle() {
        publish("a", "bob", message("jobs", 5, 1));
        publish("b", "bob", message("jobs", 5, 2));
        publish("c", "bob", message("jobs", 5, 3));
        assertRefused(ErrorCode.LIMIT_EXCEEDED, () -> publish("d", "bob", message("jobs", 5, 4)));

        now += Duration.ofHours(1).toMillis();
        step(new BusEvent.Tick(now));

        publish("d", "bob", message("jobs", 5, 5));
        assertThat(bus.size()).isEqualTo(1);
        assertThat(bus.totals().published()).isEqualTo(4);
    }

    @Test
    void namesOfNamespacesAreChecked() {
        assertRefused(ErrorCode.INVALID_REQUEST, () -> publish("", "bob"));
        assertRefused(ErrorCode.INVALID_REQUEST, () -> publish("x".repeat(257), "bob"));
        assertRefused(ErrorCode.INVALID_REQUEST, () -> publish("a\u0000", "bob"));
        assertThat(bus.size()).isZero();
    }

    @Test
    void onlyAConnectionCanSubscribe() {
        assertRefused(ErrorCode.INVALID_REQUEST, () -> subscribe("atlas", "", 1, "jobs"));
    }

    @Test
    void whatIsNotOpenHasNoChannels() {
        assertThat(bus.stats("atlas", "bob")).isEmpty();
        assertThat(bus.size()).isZero();
    }

    private void publish(String namespace, String connection, Envelope... messages) {
        bus.step(namespace, new BusEvent.Publish(now, connection, List.of(messages)), effects);
    }

    private void subscribe(String namespace, String connection, int id, String channel) {
        subscribe(namespace, connection, id, channel, MANY);
    }

    private void subscribe(
            String namespace, String connection, int id, String channel, int credit) {
        bus.step(namespace, new BusEvent.Subscribe(now, connection, id, channel, credit), effects);
    }

    private void stepAs(String client, BusEvent.InNamespace event) {
        bus.step("private-x", client, event, effects);
    }

    private void step(BusEvent.Everywhere event) {
        bus.step(event, effects);
    }

    private static void assertRefused(ErrorCode code, Runnable action) {
        assertThatThrownBy(action::run)
                .isInstanceOf(NeuralCoreException.class)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(code);
    }
}
