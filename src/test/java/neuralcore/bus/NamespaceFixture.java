package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;

/** One namespace, driven event by event; tests of its promises extend this. */
abstract class NamespaceFixture {
    static final int MANY = 1_000_000;

    final BusSettings settings =
            new BusSettings(1000, 100, DropPolicy.DROP_NEW, 10, 5, Duration.ofMinutes(10));
    final Namespace bus = new Namespace("test", settings);
    final RecordedEffects effects = new RecordedEffects();
    long now = 1_000;

    void publish(Envelope... messages) {
        publish("bob", messages);
    }

    void publish(String connection, Envelope... messages) {
        step(new BusEvent.Publish(now, connection, List.of(messages)));
    }

    void subscribe(String connection, int subscription, String channel, int credit) {
        step(new BusEvent.Subscribe(now, connection, subscription, channel, credit));
    }

    void credit(String connection, int subscription, int messages) {
        step(
                new BusEvent.Credit(
                        now, connection, List.of(new Frame.Grant(subscription, messages))));
    }

    void create(String channel, int maxQueueSize, DropPolicy policy) {
        step(
                new BusEvent.CreateChannel(
                        now, "bob", new ChannelConfig(channel, maxQueueSize, 100, policy)));
    }

    void tick() {
        step(new BusEvent.Tick(now));
    }

    void step(BusEvent event) {
        bus.step(event, effects);
    }

    ChannelStats stats(String channel) {
        ChannelStats stats = bus.stats().get(channel);
        return Objects.requireNonNull(stats, () -> channel + " is not there");
    }

    void assertRefused(ErrorCode code, BusEvent event) {
        assertThatThrownBy(() -> step(event))
                .isInstanceOf(NeuralCoreException.class)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(code);
    }
}
