package neuralcore.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import neuralcore.wire.Envelope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.value.Value;
import org.msgpack.value.ValueFactory;

/** What is written field by field is what a reader of MessagePack finds. */
class NcbFormTest {
    private static final Map<String, Object> USUAL = Map.of("relay_hops", List.of("here"));

    private final NcbForm form = new NcbForm(USUAL);

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 255, 256, 65_535, 65_536, 1_000_000})
    void bytesOfAnyLengthAreBytes(int length) throws IOException {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);

        Map<Value, Value> read = read(form.write(message("c", 0, Envelope.BYTES, bytes), null));

        assertThat(payload(read).asBinaryValue().asByteArray()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(
            longs = {0, 127, 128, -32, -33, 255, 256, Long.MIN_VALUE + 1, Long.MAX_VALUE, 1L << 40})
    void anyPriorityIsItself(long priority) throws IOException {
        Map<Value, Value> read =
                read(form.write(message("c", priority, Envelope.MSGPACK, new byte[] {7}), null));

        assertThat(of(read, "priority").asIntegerValue().toLong()).isEqualTo(priority);
        assertThat(payload(read).asIntegerValue().toInt()).isEqualTo(7);
    }

    @Test
    void aChannelIsItsOwnAlsoAfterAnother() throws IOException {
        for (String channel : List.of("a", "ü".repeat(40), "a", "b.c", "x".repeat(255))) {
            Map<Value, Value> read =
                    read(form.write(message(channel, 0, Envelope.MSGPACK, new byte[] {1}), null));

            assertThat(of(read, "channel").asStringValue().asString()).isEqualTo(channel);
            assertThat(of(read, "id").asStringValue().asString())
                    .isEqualTo(
                            HexFormat.of().toHexDigits(-3L)
                                    + HexFormat.of().toHexDigits(0x123456789abcdefL));
            assertThat(of(read, "ts").asFloatValue().toDouble()).isEqualTo(1.25);
        }
    }

    @Test
    void jsonBecomesMessagePackAndMetaIsAsGiven() throws IOException {
        byte[] json = "{\"a\":[1,\"ü\",null]}".getBytes(StandardCharsets.UTF_8);
        Envelope message = message("c", 0, Envelope.JSON, json);

        Map<Value, Value> one = read(form.write(message, Map.of("own", 1L)));
        Map<Value, Value> other = read(form.write(message, null));

        assertThat(payload(one)).hasToString("{\"a\":[1,\"ü\",null]}");
        assertThat(of(one, "meta")).hasToString("{\"own\":1}");
        assertThat(of(other, "meta")).hasToString("{\"relay_hops\":[\"here\"]}");
    }

    private static Envelope message(String channel, long priority, byte type, byte[] payload) {
        return new Envelope(
                channel,
                -3,
                0x123456789abcdefL,
                1_250_000_000,
                priority,
                0,
                0,
                type,
                Envelope.NONE,
                payload,
                payload.length);
    }

    private static Map<Value, Value> read(byte[] packed) throws IOException {
        try (MessageUnpacker in = MessagePack.newDefaultUnpacker(packed)) {
            Map<Value, Value> map = in.unpackValue().asMapValue().map();
            assertThat(in.hasNext()).as("nothing follows").isFalse();
            assertThat(map).hasSize(6);
            return map;
        }
    }

    private static Value payload(Map<Value, Value> map) {
        return of(map, "payload");
    }

    private static Value of(Map<Value, Value> map, String key) {
        return map.get(ValueFactory.newString(key));
    }
}
