package neuralcore.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** On a file system of 48 MiB; only where one can be mounted. */
@Timeout(180)
class FullDiskTest {
    private static final DurableName WORKERS = new DurableName("tasks", "workers");
    private static final JournalSettings SETTINGS =
            new JournalSettings(0, 0, 4 << 20, 1 << 20, 100);

    @TempDir Path folder;
    private Path disk;

    @BeforeEach
    void mount() throws Exception {
        disk = Files.createDirectory(folder.resolve("disk"));
        assumeTrue(run("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk.toString()));
    }

    @AfterEach
    void unmount() throws Exception {
        run("umount", disk.toString());
    }

    private static boolean run(String... command) throws IOException, InterruptedException {
        try {
            Process process = new ProcessBuilder(command).start();
            return process.waitFor(20, TimeUnit.SECONDS) && process.exitValue() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void messagesAreRefusedAndEverythingElseGoesOn() throws Exception {
        try (Journals journals = new Journals(disk, SETTINGS, new AtomicLong(1_700_000_000_000L))) {
            journals.configured("tasks");
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 0, "{}"));
            long before = 0;
            for (int cycle = 0; cycle < 3; cycle++) {
                fill(journals);
                long last = newest(journals);
                assertThat(last).isGreaterThan(before);
                long refused = journals.append(journals.message("tasks", 0, new byte[1000]));
                for (long number = before + 1; number <= before + 50; number++) {
                    journals.append(new Entry.Settled(WORKERS, number));
                }
                journals.settle();
                assertThat(journals.listener.refused()).contains(refused);
                assertThat(journals.all("tasks", null, 500).getLast().number()).isEqualTo(last);
                journals.keep(new Entry.Purged("tasks", last));
                journals.listener.await(
                        () ->
                                journals.listener.pruned.stream()
                                        .anyMatch(pruned -> pruned.upToNumber() == last));
                Files.delete(disk.resolve("filler"));
                journals.listener.await(() -> !journals.listener.isFull());
                journals.keep(journals.message("tasks", 0, new byte[1000]));
                assertThat(newest(journals)).isEqualTo(last + 1);
                journals.keep(new Entry.Settled(WORKERS, last + 1));
                before = last + 1;
            }
            try (Journals again = journals.reopened()) {
                assertThat(again.journal.recovery().subscriptions().getFirst().acks())
                        .isEqualTo(new AckSet(before));
                assertThat(again.journal.recovery().channels().getFirst().lastNumber())
                        .isEqualTo(before);
            }
        }
    }

    /** Whatever finds the disk full first, the ballast is freed for it. */
    @Test
    void pruningMakesRoomForItself() throws Exception {
        JournalSettings settings = new JournalSettings(60_000, 0, 4 << 20, 1L << 40, 100);
        AtomicLong clock = new AtomicLong(1_700_000_000_000L);
        try (Journals journals = new Journals(disk, settings, clock)) {
            journals.configured("tasks");
            journals.keepMessages("tasks", 5000);
            fillUp();
            assertThat(journals.listener.isFull()).isFalse();
            clock.addAndGet(61_000);
            journals.listener.await(() -> journals.listener.prunedRows() == 5000);
            Files.delete(disk.resolve("filler"));
            journals.listener.await(() -> !journals.listener.isFull());
            journals.keep(journals.message("tasks", 0, new byte[1000]));
            assertThat(newest(journals)).isEqualTo(5001);
        }
    }

    /** Room for the ballast alone is none: the next message would take it away again. */
    @Test
    void messagesAreTakenAgainOnceThereIsRoomForSome() throws Exception {
        Path file = disk.resolve("ballast");
        Ballast ballast = new Ballast(file, 4 << 20);
        assertThat(ballast.take(0)).isTrue();
        fillUp();
        ballast.free();
        assertThat(ballast.take(1 << 20)).isFalse();
        assertThat(file).doesNotExist();
        assertThat(ballast.take(0)).isTrue();
        Files.delete(disk.resolve("filler"));
        assertThat(ballast.take(1 << 20)).isTrue();
        assertThat(file).hasSize(4 << 20);
    }

    private static long newest(Journals journals) {
        return journals.journal.locate("tasks", new StartAt.New()).afterNumber();
    }

    /** Fills the disk to the last page. */
    private void fillUp() throws IOException {
        for (int size = 1 << 20; size >= 4096; size /= 2) {
            try (OutputStream out =
                    Files.newOutputStream(
                            disk.resolve("filler"),
                            StandardOpenOption.CREATE,
                            StandardOpenOption.APPEND)) {
                while (true) {
                    out.write(new byte[size]);
                }
            } catch (IOException e) {
                // No room for one more of these.
            }
        }
    }

    /** Fills the disk until the journal says that it is full. */
    private void fill(Journals journals) throws IOException {
        byte[] piece = new byte[1 << 20];
        Path file = disk.resolve("filler");
        Files.write(file, new byte[0]);
        while (!journals.listener.isFull()) {
            try (OutputStream out = Files.newOutputStream(file, StandardOpenOption.APPEND)) {
                out.write(piece);
            } catch (IOException e) {
                // Full, but for what the journal has reserved.
            }
            journals.append(
                    journals.message("tasks", 0, new byte[1000]),
                    journals.message("tasks", 1, new byte[100_000]));
            journals.settle();
        }
    }
}
