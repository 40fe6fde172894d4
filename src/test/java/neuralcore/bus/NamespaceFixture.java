package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;

/** One namespace, driven event by event; tests of its promises extend this. */
abstract class NamespaceFixture {
    static final int MANY = 1_000_000;

    final BusSettings settings =
            new BusSettings(
                    1000,
                    100,
                    DropPolicy.DROP_NEW,
                    10,
                    5,
                    100,
                    Duration.ofMinutes(10),
                    Profiles.NONE);
    final Surroundings surroundings =
            new Surroundings(() -> this.now, () -> 1_700_000_000_000L + this.now, new Random(7));
    final Namespace bus = new Namespace("test", settings, surroundings);
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

    void subscribe(String connection, int subscription, String channel, int credit, Terms terms) {
        step(new BusEvent.Subscribe(now, connection, subscription, channel, credit, terms));
    }

    void settle(String connection, Settlement... settlements) {
        step(new BusEvent.Settle(now, connection, List.of(settlements)));
    }

    void ack(String connection, int subscription, long sequence) {
        settle(connection, Settlement.ack(subscription, sequence));
    }

    void nack(String connection, int subscription, long sequence, long delayMillis) {
        settle(
                connection,
                new Settlement(subscription, Settlement.Kind.NACK, sequence, delayMillis, ""));
    }

    /** Lets time pass and what is due happen. */
    void pass(long millis) {
        now += millis;
        tick();
    }

    void configure(String channel, Map<String, @Nullable Object> changes) {
        step(new BusEvent.ConfigureChannel(now, "bob", channel, new Params(changes)));
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
