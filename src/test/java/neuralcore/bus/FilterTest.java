package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import neuralcore.bus.RecordedEffects.Delivered;
import neuralcore.wire.Envelope;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.msgpack.core.MessagePack;

/** Expressions that decide what a subscription gets. */
class FilterTest extends NamespaceFixture {
    private static final String META =
            """
            {"kind": "task", "n": 5, "x": 2.5, "yes": true, "no": false, "nothing": null,
             "tags": ["a", "b", 7], "deep": {"er": {"name": "it's"}}, "and": "word"}""";

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "priority == 3 | true",
                "priority < 3 | false",
                "priority <= 3 and priority >= 3 | true",
                "priority != 3 or channel == 'jobs' | true",
                "channel == \"other\" | false",
                "meta.kind == 'task' | true",
                "meta.kind in ['job', 'task'] | true",
                "meta.kind not in ['job', 'task'] | false",
                "not meta.kind == 'task' | false",
                "meta.n == 5.0 | true",
                "meta.n > 4.5 | true",
                "meta.x < 3 | true",
                "meta.yes | true",
                "meta.no | false",
                "meta.kind | false",
                "not meta.missing | true",
                "meta.missing == null | true",
                "meta.nothing == null | true",
                "meta.missing.deeper == null | true",
                "meta.deep.er.name == \"it's\" | true",
                "meta.deep.er.name == 'it\\'s' | true",
                "'a' in meta.tags | true",
                "7 in meta.tags | true",
                "'7' in meta.tags | false",
                "'as' in meta.kind | true",
                "'a' in meta.missing | false",
                "meta.kind < 5 | false",
                "meta.kind >= 5 | false",
                "meta.kind == 5 | false",
                "meta.kind != 5 | true",
                "meta.kind < 'tasl' | true",
                "meta.and == 'word' | true",
                "(priority == 3 or meta.no) and (meta.yes) | true",
                "priority == 3 or meta.no and meta.no | true",
                "not (priority == 3 or meta.no) | false",
                "priority > -1e3 | true",
            })
    void holds(String text, boolean expected) throws IOException {
        Filter filter = Filter.parse(text);
        byte[] meta = META.getBytes(StandardCharsets.UTF_8);

        assertThat(filter.matches(new Subject().of(envelope(Envelope.JSON, meta))))
                .isEqualTo(expected);
    }

    @Test
    void metaMayBeMessagePack() throws IOException {
        try (var packer = MessagePack.newDefaultBufferPacker()) {
            packer.packMapHeader(1).packString("n").packInt(5);
            Envelope message = envelope(Envelope.MSGPACK, packer.toByteArray());

            assertThat(Filter.parse("meta.n == 5").matches(new Subject().of(message))).isTrue();
        }
    }

    @Test
    void whatIsNoMetaIsNull() {
        Envelope message = envelope(Envelope.JSON, new byte[] {'{'});

        assertThat(Filter.parse("meta.n == null").matches(new Subject().of(message))).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "priority ==",
                "priority = 3",
                "priorities == 3",
                "(priority == 3",
                "priority == 3)",
                "priority == 3 and",
                "meta. == 3",
                "'open",
                "1-2 == 3",
                "a in [priority]",
                "priority in [[1]]",
                "priority not 3",
                "priority == 3 priority",
                "99999999999999999999 == 1"
            })
    void whatIsNoExpressionIsRefused(String text) {
        assertThatThrownBy(() -> Filter.parse(text))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining("filter");
    }

    @Test
    void lengthAndDepthAreBounded() {
        Filter.parse("(".repeat(30) + "meta.a" + ")".repeat(30));

        assertThatThrownBy(() -> Filter.parse("(".repeat(40) + "meta.a" + ")".repeat(40)))
                .hasMessageContaining("deeper than 32");
        assertThatThrownBy(() -> Filter.parse("not ".repeat(40) + "meta.a"))
                .hasMessageContaining("deeper than 32");
        assertThatThrownBy(() -> Filter.parse("'" + "a".repeat(2_000) + "' == channel"))
                .hasMessageContaining("2000");
    }

    @Test
    void unwantedMessagesAreNotQueued() {
        Terms urgent =
                new Terms(
                        false,
                        null,
                        "",
                        0,
                        Backoff.STANDARD,
                        1_000,
                        Filter.parse("priority < 5"),
                        null);
        subscribe("alice", 1, "a", MANY, urgent);
        subscribe("bob", 1, "a", MANY);

        publish(Messages.message("a", 5, 1), Messages.message("a", 1, 2));

        assertThat(effects.delivered)
                .extracting(d -> d.connection() + d.sequence())
                .containsExactlyInAnyOrder("alice2", "bob2", "bob1");
        assertThat(stats("a").copies()).isEqualTo(3);
        step(new BusEvent.Unsubscribe(now, "bob", 1));
        publish(Messages.message("a", 5, 3));
        assertThat(stats("a").unrouted()).isEqualTo(1);
        assertThat(effects.delivered).extracting(Delivered::sequence).doesNotContain(3L);
    }

    private static Envelope envelope(byte type, byte[] meta) {
        return new Envelope("jobs", 1, 1, 0, 3, 0, 0, Envelope.NONE, type, meta, 0);
    }
}
