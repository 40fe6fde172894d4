package neuralcore.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {

    @Test
    void valuesComeBackAsTheyWere() {
        Map<String, Object> value =
                Map.of("text", "é\u0000\n", "list", List.of(1L, -2.5, true), "big", Long.MAX_VALUE);
        assertThat(Json.readObject(ByteBuffer.wrap(Json.write(value)))).isEqualTo(value);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "{} {}",
                "{\"a\":1,\"a\":2}",
                "{\"a\":NaN}",
                "{\"a\":tru}",
                "{'a':1}",
                "\u0000{}"
            })
    void whatIsNotOneObjectIsRefused(String text) {
        assertThatThrownBy(() -> Json.readObject(bytes(text)))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.MALFORMED_FRAME));
    }

    @Test
    void floodsAreRefused() {
        assertRefused("{\"a\":" + "[".repeat(100_000));
        assertRefused("{\"a\":" + "9".repeat(1_000_000) + "}");
        assertRefused("{\"" + "n".repeat(100_000) + "\":1}");
    }

    @Test
    void whatTheLimitsAllowIsRead() {
        assertThat(read("{\"a\":" + nested(Json.MAX_DEPTH - 1) + "}")).hasSize(1);
        assertThat(read("{\"a\":\"" + "x".repeat(Json.MAX_STRING) + "\"}")).hasSize(1);
        assertThat(read("{\"a\":" + "9".repeat(Json.MAX_NUMBER) + "}")).hasSize(1);
        assertThat(read("{\"" + "n".repeat(Json.MAX_NAME) + "\":1}")).hasSize(1);
        assertThat(read(list(Json.MAX_TOKENS - 5))).hasSize(1);
    }

    @Test
    void oneMoreThanTheLimitsAllowIsRefused() {
        assertRefused("{\"a\":" + nested(Json.MAX_DEPTH) + "}");
        // Counted where the reader's buffer grows.
        assertRefused("{\"a\":\"" + "x".repeat(Json.MAX_STRING + (1 << 18)) + "\"}");
        assertRefused("{\"a\":" + "9".repeat(Json.MAX_NUMBER + 1) + "}");
        assertRefused("{\"" + "n".repeat(Json.MAX_NAME + 1) + "\":1}");
        assertThatThrownBy(() -> read(list(Json.MAX_TOKENS - 4)))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.FRAME_TOO_LARGE));
    }

    private static Map<String, Object> read(String text) {
        return Json.readObject(bytes(text));
    }

    private static String nested(int depth) {
        return "[".repeat(depth) + "]".repeat(depth);
    }

    /** An object of one list: five tokens and those of the list. */
    private static String list(int values) {
        return "{\"a\":[" + "1,".repeat(values - 1) + "1]}";
    }

    @Test
    void integersBeyondALongKeepTheirDigits() {
        String text = "{\"a\":18446744073709551617,\"b\":-9223372036854775809}";
        assertThat(Json.readObject(bytes(text)))
                .containsEntry("a", new BigInteger("18446744073709551617"));
        assertThat(Json.writeText(Json.readObject(bytes(text)))).isEqualTo(text);
    }

    private static void assertRefused(String text) {
        assertThatThrownBy(() -> Json.readObject(bytes(text)))
                .isInstanceOf(NeuralCoreException.class);
    }

    private static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    }
}
