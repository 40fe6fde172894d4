package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;

/** Channels and subscriptions come and go. */
class ChannelsTest extends NamespaceFixture {
    @Test
    void aMessageThatNobodySubscribesToIsCountedAndGone() {
        publish(message("a", 5, 1));
        subscribe("alice", 1, "a", MANY);

        assertThat(effects.accepted).isEqualTo(1);
        assertThat(effects.delivered).isEmpty();
        assertThat(stats("a").unrouted()).isEqualTo(1);
        assertThat(stats("a").published()).isEqualTo(1);
    }

    @Test
    void nothingComesAfterUnsubscribe() {
        subscribe("alice", 1, "a", 1);
        publish(message("a", 5, 1), message("a", 5, 2));

        step(new BusEvent.Unsubscribe(now, "alice", 1));
        effects.clear();
        publish(message("a", 5, 3));
        credit("alice", 1, 10);

        assertThat(effects.delivered).isEmpty();
        assertThat(stats("a").abandoned()).isEqualTo(1);
        assertThat(stats("a").queued()).isZero();
        assertThat(stats("a").subscriptions()).isZero();
        assertRefused(ErrorCode.NOT_FOUND, new BusEvent.Unsubscribe(now, "alice", 1));
    }

    @Test
    void nothingComesAfterTheConnectionClosed() {
        subscribe("alice", 1, "a", 0);
        subscribe("alice", 2, "b", 0);
        subscribe("bob", 1, "a", MANY);
        publish(message("a", 5, 1), message("b", 5, 2));

        step(new BusEvent.ConnectionClosed(now, "alice"));
        effects.clear();
        publish(message("a", 5, 3), message("b", 5, 4));

        assertThat(effects.delivered).extracting(Delivered::connection).containsExactly("bob");
        assertThat(stats("a").subscriptions()).isEqualTo(1);
        assertThat(stats("b").abandoned()).isEqualTo(1);
        step(new BusEvent.ConnectionClosed(now, "alice"));
    }

    @Test
    void aSubscriptionNumberIsUsedOnce() {
        subscribe("alice", 1, "a", 0);

        assertRefused(ErrorCode.ALREADY_EXISTS, new BusEvent.Subscribe(now, "alice", 1, "b", 0));
        assertRefused(ErrorCode.INVALID_REQUEST, new BusEvent.Subscribe(now, "bob", 1, "b", -1));
        assertThat(bus.stats()).containsOnlyKeys("a");
    }

    @Test
    void aChannelIsCreatedOnceAndKeepsItsConfiguration() {
        create("a", 1, DropPolicy.DROP_NEW);
        assertThat(effects.created).isTrue();

        create("a", 5, DropPolicy.DROP_NEW);
        assertThat(effects.created).isFalse();

        subscribe("alice", 1, "a", 0);
        publish(message("a", 5, 1), message("a", 5, 2));
        assertThat(effects.accepted).isEqualTo(1);
    }

    @Test
    void aChannelMadeOnDemandTakesAConfigurationLater() {
        subscribe("alice", 1, "a", 0);

        create("a", 1, DropPolicy.DROP_NEW);

        assertThat(effects.created).isTrue();
        publish(message("a", 5, 1), message("a", 5, 2));
        assertThat(effects.accepted).isEqualTo(1);
    }

    @Test
    void aChannelTooManyIsRefused() {
        for (int i = 0; i < 5; i++) {
            publish(message("c" + i, 5, i));
        }

        publish(message("c5", 5, 5), message("c1", 5, 6));

        assertThat(effects.accepted).isEqualTo(1);
        assertThat(effects.rejected)
                .containsExactly(new Frame.Rejection(5, ErrorCode.LIMIT_EXCEEDED));
        assertRefused(ErrorCode.LIMIT_EXCEEDED, new BusEvent.Subscribe(now, "a", 1, "c5", 0));
    }

    @Test
    void aNameThatCannotBeIsRefused() {
        publish(
                message("", 5, 1),
                message("x".repeat(257), 5, 2),
                message("é".repeat(129), 5, 3),
                message("a\nb", 5, 4),
                message("task.*", 5, 5),
                message("é".repeat(128), 5, 6));

        assertThat(effects.rejected)
                .containsExactly(
                        new Frame.Rejection(1, ErrorCode.INVALID_REQUEST),
                        new Frame.Rejection(2, ErrorCode.INVALID_REQUEST),
                        new Frame.Rejection(3, ErrorCode.INVALID_REQUEST),
                        new Frame.Rejection(4, ErrorCode.INVALID_REQUEST),
                        new Frame.Rejection(5, ErrorCode.INVALID_REQUEST));
        assertThat(effects.accepted).isEqualTo(1);
    }

    @Test
    void anIdleChannelMadeOnDemandIsRemovedButStaysInTheSums() {
        create("kept", 1, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "heard", 0);
        publish(message("idle", 5, 1), message("heard", 5, 2));

        now += Duration.ofMinutes(12).toMillis();
        tick();

        assertThat(bus.stats()).containsOnlyKeys("kept", "heard");
        assertThat(bus.totals().published()).isEqualTo(2);
        assertThat(bus.totals().unrouted()).isEqualTo(1);
    }

    @Test
    void policiesHaveNames() {
        assertThat(DropPolicy.named("drop_new")).isEqualTo(DropPolicy.DROP_NEW);
        assertThat(DropPolicy.named("drop_old")).isEqualTo(DropPolicy.DROP_OLD);
        assertThat(DropPolicy.named("block")).isEqualTo(DropPolicy.BLOCK);
        assertThatThrownBy(() -> DropPolicy.named("drop_all"))
                .hasMessageContaining("drop_all")
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.INVALID_REQUEST);
    }

    @Test
    void requestAndReplyNeedTwoChannelsAndNothingElse() {
        subscribe("server", 1, "llm.request", MANY);
        subscribe("client", 1, "inbox.client", MANY);

        publish("client", message("llm.request", 11, 5, 1, 0));
        assertThat(effects.delivered).extracting(Delivered::connection).containsExactly("server");
        effects.clear();
        publish("server", message("inbox.client", 22, 5, 1, 0));

        assertThat(effects.delivered).extracting(Delivered::connection).containsExactly("client");
    }
}
