package neuralcore.journal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A process that is killed has lost nothing that it told of, time and again on the same files. */
@Timeout(300)
class JournalKillTest {
    @TempDir Path folder;

    @Test
    void whatWasToldSurvivesTheKill() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int kill = 0; kill < Integer.getInteger("neuralcore.journal.kills", 6); kill++) {
            long told = writeUntilKilled(30 + random.nextInt(100));
            try (Journals journals = new Journals(folder)) {
                long last = journals.sequence();
                assertThat(last).as("seed %d, kill %d", seed, kill).isGreaterThanOrEqualTo(told);
                List<StoredMessage> all = journals.all("tasks", null, 5000);
                assertThat(all).hasSize((int) last);
                for (int i = 0; i < all.size(); i++) {
                    assertThat(all.get(i).sequence()).isEqualTo(i + 1);
                    assertThat(all.get(i).number()).isEqualTo(i + 1);
                }
                journals.listener.await(() -> journals.journal.stats().verified());
            }
        }
    }

    private long writeUntilKilled(int commits) throws Exception {
        Process child =
                new ProcessBuilder(
                                ProcessHandle.current().info().command().orElseThrow(),
                                "--enable-native-access=ALL-UNNAMED",
                                "-cp",
                                System.getProperty("java.class.path"),
                                WritingChild.class.getName(),
                                folder.resolve("test.journal").toString())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        long told = 0;
        try (BufferedReader out =
                new BufferedReader(
                        new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                told = Long.parseLong(line);
                if (--commits == 0) {
                    child.toHandle().destroyForcibly(); // Which leaves us its last words.
                }
            }
        }
        child.waitFor();
        assertThat(told).isPositive();
        return told;
    }
}
