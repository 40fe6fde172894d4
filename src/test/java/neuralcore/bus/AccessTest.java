package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Request;
import neuralcore.wire.Settlement;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may do what, and code that sees messages on their way. */
class AccessTest {
    private static final Map<String, Principal> WHO =
            Map.of(
                    "agent", new Principal("a1", Set.of("agent")),
                    "auditor", new Principal("eve", Set.of()),
                    "owner", Principal.OWNER);

    private final List<Frame> sent = new ArrayList<>();
    private Interceptors interceptors = new Interceptors(List.of());

    private BusService bus(String... rules) {
        return new BusService(
                BusSettings.of(100, 5),
                new Surroundings(() -> 1_000, () -> 1_000, new Random(1)),
                new Access(List.of(rules), WHO::get),
                interceptors,
                (connection, frame) -> sent.add(frame));
    }

    private static Request request(String who, Map<String, @Nullable Object> params) {
        return new Request("", new Params(params), List.of(), who);
    }

    private static void subscribe(BusService bus, String who, String channel) {
        bus.subscribe(
                request(
                        who,
                        Map.of(
                                "namespace",
                                "atlas",
                                "channel",
                                channel,
                                "subscription",
                                1L,
                                "credit",
                                10L,
                                "ack",
                                "explicit",
                                "max_attempts",
                                1L)));
    }

    private static Frame.Published publish(BusService bus, String who, Envelope... messages) {
        return bus.publish(
                who, who, new Frame.Publish(1, Frame.Confirm.ACCEPTED, "atlas", List.of(messages)));
    }

    private static void assertDenied(Runnable action) {
        assertThatThrownBy(action::run)
                .isInstanceOf(NeuralCoreException.class)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.ACCESS_DENIED);
    }

    @Test
    void aRelayIsAUserOfItsOwn() {
        assertThat(Principal.of("relay:main:1f"))
                .isEqualTo(new Principal("relay:main", Set.of("relay")));
        assertThat(Principal.of("c-1")).isEqualTo(Principal.OWNER);
        Access access =
                new Access(
                        List.of("role:owner * **/**", "user:relay:main publish+admin atlas/in"),
                        Principal::of);
        assertThat(access.allows("relay:main:1f", Access.Operation.PUBLISH, "atlas", "in"))
                .isTrue();
        assertThat(access.allows("relay:main:1f", Access.Operation.PUBLISH, "atlas", "x"))
                .isFalse();
        assertThat(access.allows("relay:other:1f", Access.Operation.PUBLISH, "atlas", "in"))
                .isFalse();
    }

    @Test
    void withoutRulesEverybodyMayDoEverything() {
        BusService bus = bus();
        subscribe(bus, "agent", "**");
        assertThat(publish(bus, "auditor", Messages.message("llm.request", 5, 1)).rejections())
                .isEmpty();
    }

    @Test
    void onlyWhatARuleAllowsIsAllowed() {
        BusService bus =
                bus(
                        "role:agent publish+subscribe atlas/llm.**",
                        "* subscribe atlas/system.health",
                        "role:owner * **/**");

        assertThat(
                        publish(
                                        bus,
                                        "agent",
                                        Messages.message("llm.request", 5, 1),
                                        Messages.message("system.control", 5, 2),
                                        Messages.message("llm.stream", 5, 3))
                                .rejections())
                .containsExactly(new Frame.Rejection(2, ErrorCode.ACCESS_DENIED));
        subscribe(bus, "agent", "llm.*");
        assertDenied(() -> subscribe(bus, "agent", "**"));
        assertDenied(() -> subscribe(bus, "auditor", "llm.request"));
        subscribe(bus, "auditor", "system.health");
        Map<String, @Nullable Object> channel = Map.of("namespace", "atlas", "channel", "llm.x");
        assertDenied(() -> bus.configure(request("agent", channel)));
        assertDenied(() -> bus.remove(request("agent", channel)));
        assertDenied(() -> bus.create(request("agent", channel)));
        assertDenied(
                () -> bus.profile(request("agent", Map.of("namespace", "atlas", "name", "atlas"))));
        bus.create(request("owner", channel));
    }

    @Test
    void aPrivateNamespaceHasNoRules() {
        BusService bus = bus("role:owner * **/**");

        assertThat(
                        bus.publish(
                                        "agent",
                                        "agent",
                                        new Frame.Publish(
                                                1,
                                                Frame.Confirm.ACCEPTED,
                                                "private-mine",
                                                List.of(Messages.message("a", 5, 1))))
                                .rejections())
                .isEmpty();
    }

    @Test
    void rulesDoNotHoldUpDeadLetters() {
        BusService bus = bus("role:agent publish+subscribe atlas/work", "role:owner * atlas/**");
        bus.configure(
                request(
                        "owner",
                        Map.of(
                                "namespace", "atlas",
                                "channel", "work",
                                "dead_letter_channel", "dead")));
        subscribe(bus, "owner", "dead");
        subscribe(bus, "agent", "work");
        publish(bus, "agent", Messages.message("work", 5, 1));

        bus.settle(
                "agent",
                new Frame.Settle(
                        1, true, List.of(new Settlement(1, Settlement.Kind.NACK, 1, 0, ""))));

        Frame.Deliver letter = (Frame.Deliver) sent.getLast();
        assertThat(letter.deliveries().getFirst().envelope().channel()).isEqualTo("dead");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "role:agent publish",
                "role:agent publish llm",
                "agent publish a/b",
                "role:agent write a/b",
                "role: publish a/b",
                "* * a/b*"
            })
    void aRuleThatIsNoneIsRefused(String rule) {
        assertThatThrownBy(() -> bus(rule)).isInstanceOf(NeuralCoreException.class);
    }

    /** Refuses one channel, makes another more urgent, and stamps what goes out. */
    public static final class Example implements Interceptor {
        static int published;

        @Override
        public Envelope beforePublish(Principal principal, String namespace, Envelope message) {
            return switch (message.channel()) {
                case "secret" -> throw new NeuralCoreException(ErrorCode.ACCESS_DENIED, "not here");
                case "broken" -> throw new IllegalStateException("a defect");
                default -> message.withPriority(1);
            };
        }

        @Override
        public void afterPublish(Principal principal, String namespace, Envelope message) {
            published++;
        }

        @Override
        public Envelope beforeDelivery(String connection, Delivery delivery) {
            return delivery.envelope().withPriority(delivery.envelope().priority() + 41);
        }
    }

    @Test
    void interceptorsSeeMessagesOnTheirWay() {
        Example.published = 0;
        interceptors = Interceptors.load(List.of(Example.class.getName()));
        BusService bus = bus();
        subscribe(bus, "agent", "a");

        assertThat(
                        publish(
                                        bus,
                                        "owner",
                                        Messages.message("a", 5, 1),
                                        Messages.message("secret", 5, 2),
                                        Messages.message("broken", 5, 3))
                                .rejections())
                .containsExactly(
                        new Frame.Rejection(2, ErrorCode.ACCESS_DENIED),
                        new Frame.Rejection(3, ErrorCode.INTERNAL));

        assertThat(Example.published).isEqualTo(1);
        Frame.Deliver deliver = (Frame.Deliver) sent.getLast();
        assertThat(deliver.deliveries().getFirst().envelope().priority()).isEqualTo(42);
    }

    @ParameterizedTest
    @ValueSource(strings = {"no.such.Class", "java.lang.String"})
    void whatIsNoInterceptorIsRefused(String name) {
        assertThatThrownBy(() -> Interceptors.load(List.of(name)))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining(name);
    }
}
