package neuralcore.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.zip.Deflater;
import neuralcore.wire.Envelope;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Payloads;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RelayCodecTest {
    /** As Python's msgpack 1.2 packs the dict that ATLAS's bus sends, {@code use_bin_type=True}. */
    private static final String NCB =
            "86a26964d92436663165396533612d306630652d346330632d396135322d316633663066376331643131a76368"
                    + "616e6e656cab6c6c6d2e72657175657374a27473cb41da39de00100000a87072696f7269747900a7"
                    + "7061796c6f616483a474657874a74772c3bcc39f65a16e9501fecb400c000000000000c0c3a37261"
                    + "77c40200ffa46d65746183a874726163655f6964a3742d31a3646c71c3ac7075626c69736865645f"
                    + "6279a561646d696e";

    /** The same through Python's {@code zlib.compress(…, level=3)}. */
    private static final String NCB_ZLIB =
            "785e1dc13d0ac2301800d0e8ece0215c238df5876e3a798cf235f94203696dd3887616bc81b3689516f4080e"
                    + "42dd7a021d3c8a0abeb73d2af1ec8d25430f5da08e74900eb9c3a907a30165d2958e9c7026182b79"
                    + "08718cfaa275d437982e31b3479b35b397f7265d42aac4a8855136276502b95e80d89c2cae6d3937"
                    + "f5addee321deb53ecdb443feee756160f56893ef29420b9bca1ae0e82b5158ca0aa1d3fa9a2c03ad"
                    + "b210851fe46710918a7f405e4552";

    private final RelayCodec codec = new RelayCodec("here", 16 << 20, List.of());

    @ParameterizedTest
    @ValueSource(strings = {NCB, NCB_ZLIB})
    void whatAtlasSendsIsRead(String hex) {
        Incoming message = codec.decode(HexFormat.of().parseHex(hex));

        assertThat(message.id()).isEqualTo("6f1e9e3a-0f0e-4c0c-9a52-1f3f0f7c1d11");
        assertThat(message.seconds()).isEqualTo(1760000000.25);
        assertThat(message.priority()).as("0 stays 0").isZero();
        assertThat(message.traceId()).isEqualTo("t-1");
        Envelope envelope = message.toEnvelope("local", 7, 9, 11, "main", "redis:x");
        assertThat(envelope.channel()).isEqualTo("local");
        assertThat(envelope.timestampNanos()).isEqualTo(11);
        assertThat(Payloads.payload(envelope))
                .isEqualTo(
                        Map.of(
                                "text",
                                "Grüße",
                                "n",
                                Arrays.asList(1L, -2L, 3.5, null, true),
                                "raw",
                                "AP8="));
    }

    @Test
    void whatASenderSaysOfItselfIsKeptApart() {
        Envelope envelope =
                codec.decode(HexFormat.of().parseHex(NCB))
                        .toEnvelope("local", 7, 9, 11, "main", "redis:x");

        Map<?, ?> meta = (Map<?, ?>) Payloads.meta(envelope);
        assertThat(meta.keySet()).hasToString("[trace_id, relay, user]");
        assertThat(meta.get("user"))
                .isEqualTo(Map.of("trace_id", "t-1", "dlq", true, "published_by", "admin"));
        assertThat(((Map<?, ?>) meta.get("relay")).get("id"))
                .isEqualTo("6f1e9e3a-0f0e-4c0c-9a52-1f3f0f7c1d11");
    }

    @ParameterizedTest
    @EnumSource(Serializer.class)
    void aMessageGoesOutAndComesInTheSame(Serializer serializer) {
        for (Compression compression : Compression.values()) {
            Envelope message =
                    message("{\"a\":[1,{\"b\":\"ü\"}],\"c\":null}", "{\"trace_id\":\"t\",\"k\":1}");

            byte[] sent = codec.encode(message, serializer, compression).bytes();
            Incoming back = new RelayCodec("there", 1 << 20, List.of()).decode(sent);

            assertThat(back.id()).isEqualTo(message.id());
            assertThat(back.priority()).isEqualTo(5);
            assertThat(back.hops()).containsExactly("here");
            assertThat(back.seconds()).isEqualTo(1.5);
            Envelope taken = back.toEnvelope("c", 1, 2, 3, "r", "f");
            assertThat(Payloads.payload(taken)).isEqualTo(Payloads.payload(message));
            assertThat(((Map<?, ?>) ((Map<?, ?>) Payloads.meta(taken)).get("user")).get("k"))
                    .isEqualTo(1L);
        }
    }

    @Test
    void aJsonPayloadIsCopiedAsItIs() {
        Envelope message = message("{\"b\" : 1e400,   \"a\":[ ]}", "");

        byte[] sent = codec.encode(message, Serializer.JSON, Compression.NONE).bytes();
        Incoming back = codec.decode(sent);

        assertThat(new String(back.payload(), StandardCharsets.UTF_8))
                .isEqualTo("{\"b\" : 1e400,   \"a\":[ ]}");
    }

    @Test
    void eachNodeAddsItselfAndACircleIsSeen() {
        Envelope first = message("1", "");
        byte[] sent = codec.encode(first, Serializer.NCB, Compression.NONE).bytes();
        RelayCodec second = new RelayCodec("second", 1 << 20, List.of());
        Envelope there = second.decode(sent).toEnvelope("c", 1, 2, 3, "r", "f");

        byte[] again = second.encode(there, Serializer.JSON, Compression.NONE).bytes();
        Incoming home = codec.decode(again);

        assertThat(home.hops()).containsExactly("here", "second");
        assertThat(home.isLoop("here")).isTrue();
        assertThat(home.isLoop("third")).isFalse();
    }

    @Test
    void aWayOfTooManyNodesIsACircle() {
        Incoming far =
                codec.decode(
                        bytes(
                                "{\"payload\":1,\"meta\":{\"relay_hops\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}}"));

        assertThat(far.hops()).hasSize(Incoming.MOST_HOPS);
        assertThat(far.isLoop("x")).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-1",
                "2147483648",
                "-9223372036854775807",
                "9223372036854775807",
                "0",
                "100"
            })
    void anyPriorityOf64BitsIsTaken(String priority) {
        Incoming message = codec.decode(bytes("{\"payload\":1,\"priority\":" + priority + "}"));

        assertThat(message.priority()).isEqualTo(Long.parseLong(priority));
    }

    @ParameterizedTest
    @ValueSource(strings = {"9223372036854775808", "1.5", "\"3\"", "null", "[1]", "true"})
    void whatIsNoPriorityIsTheChannelsDefault(String priority) {
        Incoming message = codec.decode(bytes("{\"payload\":1,\"priority\":" + priority + "}"));

        assertThat(message.priority()).isEqualTo(Envelope.DEFAULT_PRIORITY);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "x",
                "{",
                "[]",
                "{}",
                "{\"payload\":}",
                "{\"payload\":1}{}",
                "{\"payload\":1,\"meta\":{\"a\":}}",
                "{\"id\":\"no payload\"}",
                "{\0\"\0p\0"
            })
    void whatIsNoMessageIsRefused(String text) {
        assertRefused(bytes(text));
    }

    @Test
    void whatNestsTooDeepIsRefused() {
        assertRefused(bytes("{\"payload\":" + "[".repeat(100) + "]".repeat(100) + "}"));
    }

    @Test
    void aPackedMessageOfGigabytesTakesNoMemory() {
        byte[] bomb = deflated(64 << 20);

        assertThat(bomb.length).isLessThan(100_000);
        assertRefused(bomb);
    }

    @Test
    void whatIsPackedTooWellIsRefusedThoughItIsWithinTheLimit() {
        assertRefused(deflated(1 << 20));
    }

    @Test
    void aMessageBeyondTheLimitIsRefused() {
        RelayCodec small = new RelayCodec("n", 1_000, List.of());

        assertThatThrownBy(() -> small.decode(bytes("{\"payload\":\"" + "x".repeat(1_000) + "\"}")))
                .isInstanceOf(NeuralCoreException.class);
    }

    @Test
    void messagePackThatClaimsBillionsIsRefused() {
        for (String hex :
                List.of(
                        "dfffffffff",
                        "81a77061796c6f6164dfffffffff",
                        "81a77061796c6f6164ddffffffff",
                        "81a77061796c6f6164c6ffffffff",
                        "81a77061796c6f6164dbffffffff",
                        "81dbffffffff",
                        "81a26964c6ffffffff")) {
            assertRefused(HexFormat.of().parseHex(hex));
        }
    }

    @Test
    void damagedMessagesAreReadOrRefusedAndNothingElse() {
        long seed = System.nanoTime();
        SplittableRandom random = new SplittableRandom(seed);
        byte[] json =
                codec.encode(
                                message("{\"a\":[1,2]}", "{\"x\":{}}"),
                                Serializer.JSON,
                                Compression.NONE)
                        .bytes();
        List<byte[]> originals =
                List.of(HexFormat.of().parseHex(NCB), HexFormat.of().parseHex(NCB_ZLIB), json);
        for (int i = 0; i < 30_000; i++) {
            byte[] damaged = originals.get(i % originals.size()).clone();
            for (int flips = random.nextInt(1, 4); flips > 0; flips--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length + 1));
            try {
                codec.decode(damaged).toEnvelope("c", 1, 2, 3, "r", "f");
            } catch (NeuralCoreException e) {
                assertThat(e.getMessage()).as("seed %d", seed).isNotBlank();
            }
        }
    }

    private void assertRefused(byte[] data) {
        assertThatThrownBy(() -> codec.decode(data)).isInstanceOf(NeuralCoreException.class);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] deflated(int zeros) {
        Deflater deflater = new Deflater();
        deflater.setInput(new byte[zeros]);
        deflater.finish();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] piece = new byte[8_192];
        while (!deflater.finished()) {
            out.write(piece, 0, deflater.deflate(piece));
        }
        deflater.end();
        return out.toByteArray();
    }

    private static Envelope message(String payload, String meta) {
        byte[] body = bytes(payload + meta);
        return new Envelope(
                "jobs",
                77,
                3,
                1_500_000_000,
                5,
                0,
                0,
                Envelope.JSON,
                meta.isEmpty() ? Envelope.NONE : Envelope.JSON,
                body,
                bytes(payload).length);
    }
}
