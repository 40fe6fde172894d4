package neuralcore.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FrameReaderTest {

    @Test
    void framesSurviveAnyCut() {
        long seed = Long.getLong("seed", System.nanoTime());
        Random random = new Random(seed);
        List<byte[]> sent = new ArrayList<>();
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        for (int i = 0; i < 300; i++) {
            byte[] payload = new byte[1 + random.nextInt(i % 50 == 0 ? 500_000 : 300)];
            random.nextBytes(payload);
            payload[0] = 1;
            sent.add(payload);
            stream.writeBytes(ByteBuffer.allocate(4).putInt(payload.length).array());
            stream.writeBytes(payload);
        }
        FrameReader reader = new FrameReader(1 << 10, 1 << 20);
        List<byte[]> received = new ArrayList<>();
        ByteBuffer bytes = ByteBuffer.wrap(stream.toByteArray());
        while (bytes.hasRemaining()) {
            int size =
                    Math.min(
                            bytes.remaining(), 1 + random.nextInt(random.nextBoolean() ? 7 : 9000));
            reader.feed(
                    bytes.slice(bytes.position(), size),
                    payload -> {
                        byte[] copy = new byte[payload.remaining()];
                        payload.get(copy);
                        received.add(copy);
                    });
            bytes.position(bytes.position() + size);
        }
        assertThat(received).as("seed %d", seed).containsExactlyElementsOf(sent);
        assertThat(reader.midFrame()).isFalse();
    }

    @Test
    void badLengthsAreRefusedBeforeAnythingIsAllocated() {
        assertRefused(0, (byte) 1, ErrorCode.MALFORMED_FRAME);
        assertRefused(-5, (byte) 1, ErrorCode.MALFORMED_FRAME);
        assertRefused(Integer.MAX_VALUE, (byte) 1, ErrorCode.FRAME_TOO_LARGE);
        assertRefused(2001, (byte) 1, ErrorCode.FRAME_TOO_LARGE);
        assertRefused(1001, (byte) '{', ErrorCode.FRAME_TOO_LARGE);
    }

    private static void assertRefused(int length, byte first, ErrorCode code) {
        FrameReader reader = new FrameReader(1000, 2000);
        ByteBuffer chunk = ByteBuffer.allocate(5).putInt(length).put(first).flip();
        assertThatThrownBy(() -> reader.feed(chunk, payload -> {}))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class, e -> assertThat(e.code()).isEqualTo(code));
    }
}
