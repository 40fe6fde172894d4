package neuralcore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NearestTest {
    @ParameterizedTest
    @CsvSource({
        "brigde.port,bridge.port",
        "port,bridge.port",
        "bridge.max-text-frame,bridge.max_text_frame",
        "Bridge.Socket,bridge.socket",
        "embeding.modle,embedding.model",
        "numthreads,num_threads",
        "max_queue_size,bus.max_queue_size",
        "log_level,log.level",
    })
    void findsWhatWasMeant(String written, String meant) {
        assertThat(Settings.nearest(written)).isEqualTo(meant);
    }

    /** Keys that differ from each other in more than twice the slips cannot be mistaken. */
    @Test
    void findsTheKeyBehindOneSlip() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        List<String> keys = Settings.all().stream().map(Setting::key).toList();
        for (int i = 0; i < 2_000; i++) {
            String key = keys.get(random.nextInt(keys.size()));
            boolean distinct =
                    keys.stream().allMatch(k -> k.equals(key) || Nearest.distance(k, key) > 2);
            String slipped = slip(key, random);
            if (distinct && !keys.contains(slipped)) {
                assertThat(Nearest.of(slipped, keys))
                        .as("%s, seed %d", slipped, seed)
                        .isEqualTo(key);
            }
        }
    }

    @Test
    void distanceIsAMetricOnSmallChanges() {
        assertThat(Nearest.distance("", "abc")).isEqualTo(3);
        assertThat(Nearest.distance("abc", "abc")).isZero();
        assertThat(Nearest.distance("abc", "acb")).isEqualTo(1);
        assertThat(Nearest.distance("abc", "abxc")).isEqualTo(1);
        assertThat(Nearest.distance("abc", "xbc")).isEqualTo(1);
    }

    private static String slip(String key, Random random) {
        int at = random.nextInt(key.length());
        char letter = (char) ('a' + random.nextInt(26));
        String before = key.substring(0, at);
        String after = key.substring(at + 1);
        return switch (random.nextInt(4)) {
            case 0 -> before + after;
            case 1 -> before + letter + key.substring(at);
            case 2 -> before + letter + after;
            default ->
                    at + 1 < key.length()
                            ? before + key.charAt(at + 1) + key.charAt(at) + key.substring(at + 2)
                            : before + after;
        };
    }
}
