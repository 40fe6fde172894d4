package neuralcore.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damages each file of a journal in each way, and sees that nobody is told that all is well while
 * messages are missing: the journal is refused, at the start or by the check in the background, or
 * it has everything.
 */
@Timeout(600)
class JournalDamageTest {
    private static final DurableName WORKERS = new DurableName("tasks", "workers");
    private static final int MESSAGES = 3000;

    @TempDir Path folder;

    private enum Damage {
        FLIP,
        ZERO,
        CUT,
        EMPTY,
        GONE,
        GARBAGE
    }

    /** What the intact journal has, as it was left: closed, or killed with a log not yet copied. */
    private Path template(boolean killed) throws IOException {
        Path made = Files.createDirectory(folder.resolve("template-" + killed));
        JournalSettings settings = new JournalSettings(0, 0, 0, killed ? 1L << 40 : 1 << 16, 100);
        Path copy = Files.createDirectory(folder.resolve("copy-" + killed));
        try (Journals journals = new Journals(made, settings, new AtomicLong(1_700_000_000_000L))) {
            journals.configured("tasks", "other");
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 0, "{}"));
            for (int i = 0; i < MESSAGES / 100; i++) {
                journals.keepMessages(i % 3 == 0 ? "other" : "tasks", 100);
                journals.keep(new Entry.Settled(WORKERS, 10 * i + 2));
            }
            if (killed) {
                copyAll(made, copy); // As a kill leaves it.
            }
        }
        if (!killed) {
            copyAll(made, copy);
        }
        return copy;
    }

    private static void copyAll(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.toList()) {
                if (!file.toString().endsWith("-shm")) {
                    Files.copy(file, to.resolve(file.getFileName()));
                }
            }
        }
    }

    @Test
    void whatIsDamagedIsNoticed() throws Exception {
        long seed = Long.getLong("neuralcore.seed", System.nanoTime());
        int rounds = Integer.getInteger("neuralcore.journal.damages", 4);
        Random random = new Random(seed);
        int noticed = 0;
        for (boolean killed : new boolean[] {false, true}) {
            Path template = template(killed);
            List<String> names = new ArrayList<>(List.of("test.journal", "test.journal.head"));
            if (killed) {
                names.add("test.journal-wal");
            }
            for (String name : names) {
                for (Damage damage : Damage.values()) {
                    for (int round = 0; round < rounds; round++) {
                        Path copy = Files.createDirectory(folder.resolve("case"));
                        copyAll(template, copy);
                        apply(damage, copy.resolve(name), random);
                        String what =
                                "%s of %s (%s), round %d, seed %d"
                                        .formatted(
                                                damage,
                                                name,
                                                killed ? "killed" : "closed",
                                                round,
                                                seed);
                        if (isNoticed(copy, what)) {
                            noticed++;
                            salvage(copy, what);
                        }
                        delete(copy);
                    }
                }
            }
        }
        assertThat(noticed).isGreaterThan(5 * 6 * rounds / 3);
    }

    private static void apply(Damage damage, Path file, Random random) throws IOException {
        long size = Files.size(file);
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            long at = (long) (random.nextDouble() * size);
            switch (damage) {
                case FLIP -> {
                    ByteBuffer one = ByteBuffer.allocate(1);
                    channel.read(one, at);
                    one.put(0, (byte) (one.get(0) ^ 1 << random.nextInt(8))).rewind();
                    channel.write(one, at);
                }
                case ZERO -> channel.write(ByteBuffer.allocate(512), at / 512 * 512);
                case CUT -> channel.truncate(at);
                case EMPTY -> channel.truncate(0);
                case GONE -> Files.delete(file);
                case GARBAGE -> {
                    byte[] bytes = new byte[1 + random.nextInt(2000)];
                    random.nextBytes(bytes);
                    channel.write(ByteBuffer.wrap(bytes), Math.min(at, size - 1));
                }
            }
        }
    }

    /** Whether it is refused, at once or by the check; otherwise it must have everything. */
    private static boolean isNoticed(Path copy, String what) {
        try (Journals journals =
                new Journals(
                        copy,
                        new JournalSettings(0, 0, 0, 1 << 16, 100),
                        new AtomicLong(1_700_000_000_000L))) {
            try {
                int rows =
                        journals.all("tasks", null, 1000).size()
                                + journals.all("other", null, 1000).size();
                journals.listener.await(
                        () ->
                                journals.journal.stats().verified()
                                        || journals.listener.failure() != null);
                if (journals.listener.failure() != null) {
                    return true;
                }
                assertThat(rows).as(what).isEqualTo(MESSAGES);
                AckSet acks = journals.journal.recovery().subscriptions().getFirst().acks();
                for (int i = 0; i < MESSAGES / 100; i++) {
                    assertThat(acks.contains(10 * i + 2)).as(what).isTrue();
                }
                assertThat(acks.beyond() + acks.floor()).as(what).isEqualTo(30);
                return false;
            } catch (NeuralCoreException e) {
                assertThat(e.code()).as(what).isEqualTo(ErrorCode.DATA_DAMAGED);
                return true;
            }
        } catch (NeuralCoreException e) {
            assertThat(e.code())
                    .as("%s: %s", what, e)
                    .isIn(ErrorCode.DATA_DAMAGED, ErrorCode.VERSION_MISMATCH);
            return true;
        }
    }

    /** What can be saved is whole, in order, and the journal works again. */
    private static void salvage(Path copy, String what) {
        JournalFiles files = new JournalFiles(copy.resolve("test.journal"));
        Salvage.run(files, 1);
        try (Journals journals =
                new Journals(
                        copy,
                        new JournalSettings(0, 0, 0, 1 << 16, 100),
                        new AtomicLong(1_700_000_000_000L))) {
            Set<Long> seen = new HashSet<>();
            for (Recovery.Channel channel : journals.journal.recovery().channels()) {
                long last = 0;
                for (StoredMessage message : journals.all(channel.name(), null, 1000)) {
                    assertThat(message.number()).as(what).isGreaterThan(last);
                    assertThat(seen.add(message.sequence())).as(what).isTrue();
                    last = message.number();
                }
                assertThat(last).as(what).isLessThanOrEqualTo(channel.lastNumber());
            }
            journals.configured("tasks");
            journals.keepMessages("tasks", 10);
            journals.listener.await(
                    () ->
                            journals.journal.stats().verified()
                                    || journals.listener.failure() != null);
            assertThat(journals.listener.failure()).as(what).isNull();
        }
    }

    private static void delete(Path copy) throws IOException {
        try (Stream<Path> files = Files.list(copy)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(copy);
    }

    @Test
    void aLogThatEndsTooSoonIsRefusedWithWhatIsLost() throws Exception {
        Path copy = template(true);
        try (FileChannel log =
                FileChannel.open(copy.resolve("test.journal-wal"), StandardOpenOption.WRITE)) {
            log.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), log.size() / 2);
        }
        assertThatThrownBy(() -> new Journals(copy))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining("messages are missing, those with the sequence numbers")
                .hasMessageContaining("to 3000")
                .hasMessageContaining("--accept-loss");
        JournalFolder accepting =
                new JournalFolder(
                        copy, Path.of("target", "test-cache"), Journals.SMALL, () -> 5, true);
        try (Journal journal = accepting.open("test", new RecordedListener())) {
            assertThat(journal.recovery().losses()).hasSize(1);
            assertThat(journal.recovery().losses().getFirst()).contains("messages are lost");
            assertThat(journal.recovery().lastSequence()).isEqualTo(3000);
        }
        assertThat(copy.resolve("test.journal.damaged-5")).exists();
    }

    @Test
    void whoReadsIsToldOfDamageThatTheCheckHasFound() throws Exception {
        Path copy = template(false);
        damageNumber(copy, 777);
        try (Journals journals = new Journals(copy)) {
            journals.listener.await(() -> journals.listener.failure() != null);
            journals.journal.close(); // So that nothing is open any more.
            assertThatThrownBy(() -> journals.all("tasks"))
                    .isInstanceOf(NeuralCoreException.class)
                    .extracting(e -> ((NeuralCoreException) e).code())
                    .isEqualTo(ErrorCode.DATA_DAMAGED);
        }
    }

    /** The 1,000th is the last of the first page that is read, where reading goes on from. */
    @Test
    void aDamagedNumberLeadsNoSalvageAstray() throws Exception {
        Path copy = template(false);
        damageNumber(copy, 1000);
        assertThat(isNoticed(copy, "a damaged number")).isTrue();
        salvage(copy, "a damaged number");
        try (Journals journals = new Journals(copy)) {
            assertThat(journals.all("tasks", null, 1000).size() + journals.all("other").size())
                    .isEqualTo(MESSAGES - 1 + 10);
        }
    }

    /** Makes the sequence number of a row, one of two bytes, 0, in a file where they ascend. */
    private static void damageNumber(Path copy, int sequence) throws Exception {
        Path database = copy.resolve("test.journal");
        byte[] record;
        try (var connection = Sqlite.reader(database);
                var statement = connection.createStatement();
                var row =
                        statement.executeQuery(
                                "SELECT record FROM messages WHERE sequence = " + sequence)) {
            record = row.getBytes(1);
        }
        byte[] bytes = Files.readAllBytes(database);
        int at = 0;
        while (!Arrays.equals(bytes, at, at + record.length, record, 0, record.length)) {
            at++;
        }
        // Before the record is the row's header, and before that the number, as a varint.
        byte[] number = new byte[] {(byte) (0x80 | sequence >> 7), (byte) (sequence & 0x7f)};
        while (!Arrays.equals(bytes, at, at + number.length, number, 0, number.length)) {
            at--;
        }
        bytes[at] = (byte) 0x80;
        bytes[at + 1] = 0;
        Files.write(database, bytes);
    }

    @Test
    void aNewerFormatIsRefused() throws Exception {
        try (Journals journals = new Journals(folder)) {
            journals.configured("tasks").settle();
        }
        try (var connection = Sqlite.writer(folder.resolve("test.journal"));
                var statement = connection.createStatement()) {
            statement.execute("PRAGMA user_version=99");
        }
        assertThatThrownBy(() -> new Journals(folder))
                .isInstanceOf(NeuralCoreException.class)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(ErrorCode.VERSION_MISMATCH);
    }

    @Test
    void tablesThatAreNotOursAreRefused() throws Exception {
        try (Journals journals = new Journals(folder)) {
            journals.configured("tasks").settle();
        }
        try (var connection = Sqlite.writer(folder.resolve("test.journal"));
                var statement = connection.createStatement()) {
            statement.execute("CREATE TRIGGER t AFTER INSERT ON messages BEGIN SELECT 1; END");
        }
        assertThatThrownBy(() -> new Journals(folder))
                .hasMessageContaining("not those of a journal");
    }
}
