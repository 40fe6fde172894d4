package neuralcore.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;

class PayloadsTest {

    private interface Packing {
        void into(MessageBufferPacker packer) throws IOException;
    }

    @Test
    void messagePackBecomesTheSameValues() throws IOException {
        byte[] bytes =
                packed(
                        packer -> {
                            packer.packMapHeader(2).packString("list").packArrayHeader(3);
                            packer.packInt(-3).packDouble(0.5).packNil();
                            packer.packString("bytes").packBinaryHeader(2);
                            packer.writePayload(new byte[2]);
                        });
        assertThat(payload(Envelope.MSGPACK, bytes))
                .isEqualTo(Map.of("list", Arrays.asList(-3L, 0.5, null), "bytes", "AAA="));
    }

    @Test
    void integersBeyondALongAreWrittenAsNearAsMessagePackHasThem() throws IOException {
        BigInteger most = BigInteger.TWO.pow(64).subtract(BigInteger.ONE);
        byte[] bytes = packed(packer -> MessagePackWriter.write(packer, most));
        assertThat(MessagePack.newDefaultUnpacker(bytes).unpackBigInteger()).isEqualTo(most);
        for (BigInteger beyond : List.of(most.negate(), BigInteger.TWO.pow(64))) {
            byte[] rounded = packed(packer -> MessagePackWriter.write(packer, beyond));
            assertThat(payload(Envelope.MSGPACK, rounded)).isEqualTo(beyond.doubleValue());
        }
    }

    @Test
    void whatIsNotWhatItIsSaidToBeIsHandedOverAsBytes() {
        assertAsBytes(Envelope.JSON, "{not json".getBytes(StandardCharsets.UTF_8));
        assertAsBytes(Envelope.JSON, "[".repeat(100_000).getBytes(StandardCharsets.UTF_8));
        assertAsBytes(Envelope.MSGPACK, new byte[] {(byte) 0xc1});
        assertAsBytes(Envelope.MSGPACK, new byte[0]);
    }

    @Test
    void floodsOfMessagePackAreHandedOverAsBytes() throws IOException {
        byte[] deep = new byte[100_000];
        Arrays.fill(deep, (byte) 0x91); // an array of one, again and again
        assertAsBytes(Envelope.MSGPACK, deep);
        int many = 200_000;
        assertAsBytes(
                Envelope.MSGPACK,
                packed(
                        packer -> {
                            packer.packArrayHeader(many);
                            for (int i = 0; i < many; i++) {
                                packer.packNil();
                            }
                        }));
    }

    /** Six bytes that claim two gibibytes: binary, extension, string, array, map. */
    @Test
    void memoryIsNotTakenForWhatIsOnlyClaimed() {
        for (int type : new int[] {0xc6, 0xc9, 0xdb, 0xdd, 0xdf}) {
            assertAsBytes(Envelope.MSGPACK, new byte[] {(byte) type, 0x7f, -1, -1, -1, 1});
        }
    }

    private static void assertAsBytes(byte type, byte[] bytes) {
        assertThat(payload(type, bytes)).isEqualTo(Base64.getEncoder().encodeToString(bytes));
    }

    private static @Nullable Object payload(byte type, byte[] bytes) {
        return Payloads.payload(
                new Envelope("c", 1, 1, 1, 1, 0, 0, type, Envelope.NONE, bytes, bytes.length));
    }

    private static byte[] packed(Packing packing) throws IOException {
        try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
            packing.into(packer);
            return packer.toByteArray();
        }
    }
}
