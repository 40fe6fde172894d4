package neuralcore.bus;

import static neuralcore.bus.Messages.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Subscriptions to channels by pattern. */
class PatternsTest extends NamespaceFixture {
    @ParameterizedTest
    @CsvSource({
        "llm.*, llm.request, true",
        "llm.*, llm, false",
        "llm.*, llm.request.x, false",
        "*.request, llm.request, true",
        "task.**, task, true",
        "task.**, task.a.b.c, true",
        "task.**, tasks.a, false",
        "**, anything.at.all, true",
        "**.end, a.end.b.end, true",
        "**.end, a.end.b, false",
        "a.**.b.**.c, a.x.b.y.b.c, true",
        "a.**.b.**.c, a.x.c, false",
        "*, '', true",
        "a.*.c, a..c, true",
        "*, **, false",
        "**, **, true",
    })
    void names(String pattern, String name, boolean matches) {
        assertThat(new Pattern(pattern).matches(name)).isEqualTo(matches);
    }

    @Test
    void aStarIsAWholePart() {
        assertThatThrownBy(() -> new Pattern("llm.req*"))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining("req*");
    }

    @Test
    void aPatternGetsWhatItsChannelsGetInOrder() {
        publish(message("llm.before", 5, 1));
        subscribe("alice", 1, "llm.*", MANY);

        publish(
                message("llm.before", 5, 2),
                message("llm.after", 5, 3),
                message("other", 0, 4),
                message("llm.after", 1, 5),
                message("llm.before", 5, 6));

        assertThat(effects.delivered)
                .extracting(Delivered::sequence)
                .containsExactly(5L, 2L, 3L, 6L);
    }

    @Test
    void itsCreditIsOneForAllChannels() {
        subscribe("alice", 1, "**", 2);
        publish(message("a", 5, 1), message("b", 5, 2), message("a", 5, 3), message("c", 0, 4));
        assertThat(effects.delivered).extracting(Delivered::sequence).containsExactly(4L, 1L);

        credit("alice", 1, 5);

        assertThat(effects.delivered)
                .extracting(Delivered::sequence)
                .containsExactly(4L, 1L, 2L, 3L);
    }

    @Test
    void eachChannelBoundsItsOwn() {
        create("a", 1, DropPolicy.DROP_NEW);
        subscribe("alice", 1, "**", 0);

        publish(message("a", 5, 1), message("b", 5, 2), message("a", 5, 3), message("b", 5, 4));

        assertThat(stats("a").dropped()).isEqualTo(1);
        assertThat(stats("b").dropped()).isZero();
    }

    @Test
    void whatOnlyAPatternHearsIsRemovedWhenIdle() {
        subscribe("alice", 1, "task.**", MANY);
        publish(message("task.1", 5, 1));

        now += Duration.ofMinutes(12).toMillis();
        tick();
        assertThat(bus.stats()).isEmpty();
        publish(message("task.1", 5, 2));

        assertThat(effects.delivered).hasSize(2);
    }

    @Test
    void anEndedPatternHearsNothing() {
        subscribe("alice", 1, "**", 0);
        publish(message("a", 5, 1));
        step(new BusEvent.Unsubscribe(now, "alice", 1));
        publish(message("a", 5, 2), message("b", 5, 3));

        assertThat(stats("a").abandoned()).isEqualTo(1);
        assertThat(stats("a").unrouted()).isEqualTo(1);
        assertThat(stats("a").subscriptions()).isZero();
        assertThat(stats("b").unrouted()).isEqualTo(1);
    }

    @Test
    void aRemovedChannelLeavesItsPatternsAlone() {
        subscribe("alice", 1, "**", 0, Terms.ACKNOWLEDGED);
        subscribe("bob", 1, "a", 5, Terms.ACKNOWLEDGED);
        publish(message("a", 5, 1), message("b", 5, 2));

        step(new BusEvent.RemoveChannel(now, "bob", "a"));
        credit("alice", 1, 5);

        assertThat(effects.delivered)
                .extracting(d -> d.connection() + d.sequence())
                .containsExactly("bob1", "alice2");
        pass(100_000);
        assertThat(bus.totals().inFlight()).isEqualTo(1);
    }
}
