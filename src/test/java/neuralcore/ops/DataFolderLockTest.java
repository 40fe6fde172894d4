package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataFolderLockTest {
    @TempDir Path run;

    /** Takes the lock of the folder named, says so by a file, and keeps it until it is killed. */
    static final class Holder {
        public static void main(String[] arguments) throws IOException, InterruptedException {
            Path run = Path.of(arguments[0]);
            try (DataFolderLock lock =
                    DataFolderLock.acquire(run, "the first daemon", Duration.ZERO)) {
                Files.createFile(run.resolve("held"));
                Thread.sleep(Long.MAX_VALUE);
            }
        }
    }

    @Test
    void anotherProcessIsToldWhoHoldsItUntilThatOneIsKilled() throws Exception {
        try (Jvm holder = Jvm.start(run, Holder.class, run.toString())) {
            holder.await(run.resolve("held"));

            assertThatThrownBy(() -> acquire(Duration.ZERO))
                    .isInstanceOfSatisfying(
                            NeuralCoreException.class,
                            e -> assertThat(e.code()).isEqualTo(ErrorCode.DATA_FOLDER_LOCKED))
                    .hasMessageContaining("process " + holder.process().pid())
                    .hasMessageContaining("the first daemon")
                    .hasMessageContaining("--data");
        }
        acquire(Duration.ofSeconds(30)).close();
    }

    @Test
    void oneProcessCannotTakeItTwiceAndAskingDoesNotLoseIt() throws Exception {
        try (DataFolderLock lock = acquire(Duration.ZERO)) {
            assertThat(lock).isNotNull();
            assertThatThrownBy(() -> acquire(Duration.ZERO)).hasMessageContaining("this very");
            try (Jvm other = Jvm.start(run, Holder.class, run.toString())) {
                assertThat(other.exitCode()).isNotZero();
                assertThat(other.errors()).contains("process " + ProcessHandle.current().pid());
            }
        }
        acquire(Duration.ZERO).close();
    }

    private DataFolderLock acquire(Duration patience) throws IOException {
        return DataFolderLock.acquire(run, "test", patience);
    }
}
