package neuralcore.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class FrameCodecTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden");

    static Map<String, Frame> frames() {
        return GoldenFrames.all();
    }

    static Iterable<String> names() {
        return frames().keySet();
    }

    @ParameterizedTest
    @MethodSource("names")
    void bytesAreThoseOfTheGoldenFile(String name) throws IOException {
        byte[] bytes = FrameCodec.encodeToArray(frames().get(name));
        Path file = GOLDEN.resolve(name + ".bin");
        if (Boolean.getBoolean("golden.write")) {
            Files.write(file, bytes);
        }
        assertThat(bytes).isEqualTo(Files.readAllBytes(file));
    }

    @ParameterizedTest
    @MethodSource("names")
    void decodingGivesBackWhatWasEncoded(String name) {
        byte[] bytes = FrameCodec.encodeToArray(frames().get(name));
        Frame decoded = FrameCodec.decode(payload(bytes));
        assertThat(FrameCodec.encodeToArray(decoded)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyTruncationIsRefused(String name) {
        byte[] bytes = FrameCodec.encodeToArray(frames().get(name));
        for (int length = 4; length < bytes.length; length++) {
            ByteBuffer cut = ByteBuffer.wrap(bytes, 4, length - 4).slice();
            assertThatThrownBy(() -> FrameCodec.decode(cut))
                    .as("%s cut to %d bytes", name, cut.remaining())
                    .isInstanceOf(NeuralCoreException.class);
        }
    }

    @Test
    void damagedBytesGiveAFrameOrATypedError() {
        long seed = Long.getLong("seed", System.nanoTime());
        Random random = new Random(seed);
        for (Map.Entry<String, Frame> entry : frames().entrySet()) {
            byte[] bytes = FrameCodec.encodeToArray(entry.getValue());
            for (int i = 0; i < 20_000; i++) {
                byte[] damaged = bytes.clone();
                for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
                    damaged[4 + random.nextInt(bytes.length - 4)] = (byte) random.nextInt();
                }
                try {
                    FrameCodec.decode(payload(damaged));
                } catch (NeuralCoreException expected) {
                    assertThat(expected.code())
                            .as("seed %d", seed)
                            .isNotEqualTo(ErrorCode.INTERNAL);
                } catch (RuntimeException e) {
                    throw new AssertionError(entry.getKey() + ", seed " + seed, e);
                }
            }
        }
    }

    @Test
    void anUnknownKindIsNamed() {
        assertThatThrownBy(
                        () ->
                                FrameCodec.decode(
                                        ByteBuffer.wrap(new byte[] {0x7f, 0, 0, 0, 0, 0, 0, 0})))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.UNKNOWN_FRAME_TYPE))
                .hasMessageContaining("0x7f");
    }

    @Test
    void errorCodesAreThoseOfTheGoldenFile() throws IOException {
        byte[] json = Files.readAllBytes(GOLDEN.resolve("error-codes.json"));
        Iterable<?> codes = (Iterable<?>) Json.read(ByteBuffer.wrap(json));
        assertThat(codes).hasSize(ErrorCode.values().length);
        for (Object item : codes) {
            Map<?, ?> code = (Map<?, ?>) item;
            ErrorCode known = ErrorCode.valueOf((String) code.get("code"));
            assertThat((long) known.number()).isEqualTo(code.get("number"));
        }
    }

    private static ByteBuffer payload(byte[] frame) {
        return ByteBuffer.wrap(frame, 4, frame.length - 4).slice();
    }
}
