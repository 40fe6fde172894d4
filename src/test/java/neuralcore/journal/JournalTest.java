package neuralcore.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class JournalTest {
    private static final DurableName WORKERS = new DurableName("tasks", "workers");

    @TempDir Path folder;

    @Test
    void whatIsKeptComesBackInOrder() {
        try (Journals journals = new Journals(folder).configured("tasks", "other")) {
            List<Entry> group = new ArrayList<>();
            for (int i = 0; i < 1000; i++) {
                group.add(
                        journals.message(
                                i % 3 == 0 ? "other" : "tasks", i % 4 - 1, new byte[i % 50]));
            }
            journals.append(group.toArray(Entry[]::new));
            journals.settle();
            check(journals, group);
            try (Journals again = journals.reopened()) {
                check(again, group);
                assertThat(again.journal.recovery().lastSequence()).isEqualTo(1000);
                assertThat(again.journal.recovery().channels())
                        .extracting(Recovery.Channel::name, Recovery.Channel::lastNumber)
                        .containsExactly(
                                org.assertj.core.groups.Tuple.tuple("tasks", 666L),
                                org.assertj.core.groups.Tuple.tuple("other", 334L));
                assertThat(again.journal.recovery().channels().getFirst().priorities())
                        .containsExactly(-1L, 0L, 1L, 2L);
            }
        }
    }

    private static void check(Journals journals, List<Entry> group) {
        for (String channel : List.of("tasks", "other")) {
            List<Entry.Message> expected =
                    group.stream()
                            .map(Entry.Message.class::cast)
                            .filter(message -> message.envelope().channel().equals(channel))
                            .toList();
            for (int pageSize : new int[] {1, 13, 5000}) {
                List<StoredMessage> found = journals.all(channel, null, pageSize);
                assertThat(found).hasSameSizeAs(expected);
                for (int i = 0; i < found.size(); i++) {
                    same(found.get(i), expected.get(i));
                    assertThat(found.get(i).number()).isEqualTo(i + 1);
                }
            }
            for (long priority = -1; priority < 4; priority++) {
                long wanted = priority;
                List<Long> sequences =
                        journals.all(channel, priority, 9).stream()
                                .map(StoredMessage::sequence)
                                .toList();
                assertThat(sequences)
                        .containsExactlyElementsOf(
                                expected.stream()
                                        .filter(m -> m.envelope().priority() == wanted)
                                        .map(Entry.Message::sequence)
                                        .toList());
            }
        }
    }

    static void same(StoredMessage found, Entry.Message expected) {
        assertThat(found.sequence()).isEqualTo(expected.sequence());
        assertThat(found.dueAtMillis()).isEqualTo(expected.dueAtMillis());
        assertThat(found.expiresAtMillis()).isEqualTo(expected.expiresAtMillis());
        assertThat(found.envelope()).usingRecursiveComparison().isEqualTo(expected.envelope());
    }

    @Test
    void sparseMessagesAreFoundAmongManyOthers() {
        try (Journals journals = new Journals(folder).configured("many", "few")) {
            List<Long> expected = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                journals.keepMessages("many", 500);
                Entry.Message rare = journals.message("few", i % 3, new byte[5]);
                expected.add(rare.sequence());
                journals.keep(rare);
            }
            for (int pageSize : new int[] {1, 4, 100}) {
                assertThat(journals.all("few", null, pageSize))
                        .extracting(StoredMessage::sequence)
                        .containsExactlyElementsOf(expected);
            }
            assertThat(journals.all("few", 1L, 5)).hasSize(13);
        }
    }

    @Test
    void aPageEndsWhereItsBytesDo() {
        try (Journals journals = new Journals(folder).configured("tasks")) {
            journals.keep(
                    journals.message("tasks", 0, new byte[100]),
                    journals.message("tasks", 0, new byte[100]),
                    journals.message("tasks", 0, new byte[100]));
            Page page = journals.journal.read(new PageRequest("tasks", null, 0, 3, 10, 150));
            assertThat(page.messages()).hasSize(2);
            assertThat(page.upToSequence()).isEqualTo(2);
            assertThat(
                            journals.journal
                                    .read(new PageRequest("tasks", null, 2, 3, 10, 150))
                                    .messages())
                    .hasSize(1);
            assertThat(journals.journal.read(new PageRequest("none", null, 0, 3, 1, 1)).messages())
                    .isEmpty();
        }
    }

    @Test
    void readersBeginWhereTheySay() {
        try (Journals journals = new Journals(folder).configured("tasks", "other")) {
            for (int i = 1; i <= 50; i++) {
                journals.clock.addAndGet(1000);
                journals.keep(
                        journals.message("other", 0, new byte[1]),
                        journals.message("tasks", i % 3, new byte[1]));
            }
            long first = 1_700_000_001_000L;
            assertThat(at(journals, new StartAt.First())).isEqualTo(new Position(0, 0));
            assertThat(at(journals, new StartAt.New())).isEqualTo(new Position(100, 50));
            assertThat(at(journals, new StartAt.Last(50)).afterNumber()).isEqualTo(0);
            assertThat(at(journals, new StartAt.Last(1000)).afterNumber()).isEqualTo(0);
            for (int i = 1; i < 50; i++) {
                assertThat(at(journals, new StartAt.Last(i)).afterNumber()).isEqualTo(50 - i);
                assertThat(at(journals, new StartAt.AfterNumber(i)).afterNumber()).isEqualTo(i);
                assertThat(at(journals, new StartAt.AfterSequence(2 * i)))
                        .isEqualTo(new Position(2 * i, i));
                assertThat(at(journals, new StartAt.AfterSequence(2 * i + 1)))
                        .isEqualTo(new Position(2 * i + 1, i));
                assertThat(at(journals, new StartAt.Since(first + i * 1000)).afterNumber())
                        .isEqualTo(i);
                assertThat(at(journals, new StartAt.Since(first + i * 1000 - 1)).afterNumber())
                        .isEqualTo(i);
            }
            assertThat(at(journals, new StartAt.Last(0)).afterNumber()).isEqualTo(50);
            assertThat(at(journals, new StartAt.Since(first + 60_000)).afterNumber()).isEqualTo(50);
            assertThat(journals.journal.locate("none", new StartAt.First()))
                    .isEqualTo(new Position(0, 0));
        }
    }

    private static Position at(Journals journals, StartAt start) {
        return journals.journal.locate("tasks", start);
    }

    @Test
    void settlementsComeBack() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        AckSet expected = new AckSet(0);
        try (Journals journals = new Journals(folder).configured("tasks")) {
            journals.keepMessages("tasks", 10_000);
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 0, "{\"lease\":3}"));
            for (int i = 0; i < 20; i++) {
                Entry[] settled = new Entry[300];
                for (int k = 0; k < settled.length; k++) {
                    long number = 1 + random.nextInt(1 + 500 * (i + 1));
                    expected.add(number);
                    settled[k] = new Entry.Settled(WORKERS, number);
                }
                journals.keep(settled);
            }
            try (Journals again = journals.reopened()) {
                Recovery.Subscription found = again.journal.recovery().subscriptions().getFirst();
                assertThat(found.name()).isEqualTo(WORKERS);
                assertThat(found.config()).isEqualTo("{\"lease\":3}");
                assertThat(found.acks()).as("seed %d", seed).isEqualTo(expected);
                again.keep(new Entry.SubscriptionEnded(WORKERS));
                try (Journals last = again.reopened()) {
                    assertThat(last.journal.recovery().subscriptions()).isEmpty();
                }
            }
        }
    }

    @Test
    void aSubscriptionThatIsConfiguredAgainKeepsItsPlace() {
        try (Journals journals = new Journals(folder).configured("tasks")) {
            journals.keepMessages("tasks", 10);
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 4, "a"));
            journals.keep(new Entry.Settled(WORKERS, 5));
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 9, "b"));
            try (Journals again = journals.reopened()) {
                Recovery.Subscription found = again.journal.recovery().subscriptions().getFirst();
                assertThat(found.acks()).isEqualTo(new AckSet(5));
                assertThat(found.config()).isEqualTo("b");
            }
        }
    }

    @Test
    void attemptsKeysAndPublishersComeBack() {
        try (Journals journals = new Journals(folder).configured("tasks")) {
            journals.keepMessages("tasks", 3);
            journals.keep(
                    new Entry.SubscriptionOpened(WORKERS, 0, "{}"),
                    new Entry.Attempt(WORKERS, 1, 1, ""),
                    new Entry.Attempt(WORKERS, 2, 1, ""),
                    new Entry.Attempt(WORKERS, 2, 2, "{\"error\":\"e\"}"),
                    new Entry.Settled(WORKERS, 1),
                    new Entry.KeyMarked("tasks", "a", false, 1, Long.MAX_VALUE),
                    new Entry.KeyMarked("tasks", "b", false, 2, Long.MAX_VALUE),
                    new Entry.KeyMarked("tasks", "a", true, 1, Long.MAX_VALUE),
                    new Entry.KeyReleased("tasks", "b"),
                    new Entry.PublisherSeen(-7, 12),
                    new Entry.PublisherSeen(-7, 11));
            try (Journals again = journals.reopened()) {
                Recovery recovery = again.journal.recovery();
                assertThat(recovery.subscriptions().getFirst().attempts())
                        .isEqualTo(Map.of(2L, new Recovery.Attempts(2, "{\"error\":\"e\"}")));
                assertThat(recovery.keys())
                        .containsExactly(new Recovery.Key("tasks", "a", true, 1, Long.MAX_VALUE));
                assertThat(recovery.publishers()).isEqualTo(Map.of(-7L, 12L));
            }
        }
    }

    @Test
    void groupsAreCommittedInTheirOrderHoweverFastTheyCome() {
        try (Journals journals = new Journals(folder).configured("tasks")) {
            for (int i = 0; i < 3000; i++) {
                journals.append(
                        i % 3 == 0 ? Durability.DISK : Durability.OS,
                        journals.message("tasks", 0, new byte[10]));
            }
            journals.settle();
            assertThat(journals.all("tasks", null, 500))
                    .extracting(StoredMessage::number)
                    .containsExactlyElementsOf(LongStream.rangeClosed(1, 3000).boxed().toList());
            assertThat(journals.journal.stats().commits()).isLessThan(2500);
            assertThat(journals.journal.stats().rows()).isEqualTo(3000);
        }
    }

    @Test
    void aRemovedChannelBeginsAnew() {
        try (Journals journals = new Journals(folder).configured("tasks")) {
            journals.keepMessages("tasks", 4500);
            journals.keep(
                    new Entry.SubscriptionOpened(WORKERS, 0, "{}"),
                    new Entry.KeyMarked("tasks", "a", false, 1, Long.MAX_VALUE));
            journals.keep(new Entry.ChannelRemoved("tasks"));
            assertThat(journals.all("tasks")).isEmpty();
            journals.configured("tasks");
            journals.keepMessages("tasks", 3);
            assertThat(journals.all("tasks"))
                    .extracting(StoredMessage::number)
                    .containsExactly(1L, 2L, 3L);
            try (Journals again = journals.reopened()) {
                assertThat(again.journal.recovery().subscriptions()).isEmpty();
                assertThat(again.journal.recovery().keys()).isEmpty();
                assertThat(again.all("tasks")).hasSize(3);
                again.listener.await(() -> again.journal.stats().verified());
            }
        }
    }

    @Test
    void aBackupTakenMeanwhileCanBeOpened() throws Exception {
        Path copies = Files.createDirectory(folder.resolve("copies"));
        try (Journals journals = new Journals(folder).configured("tasks")) {
            journals.keepMessages("tasks", 5000);
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 0, "{}"));
            journals.keep(new Entry.Settled(WORKERS, 1), new Entry.Settled(WORKERS, 5));
            Thread busy =
                    Thread.ofPlatform()
                            .start(
                                    () -> {
                                        for (int i = 0; i < 200; i++) {
                                            journals.keepMessages("tasks", 10);
                                        }
                                    });
            Path target = copies.resolve("test.journal");
            journals.journal.backup(target);
            busy.join();
            assertThatThrownBy(() -> journals.journal.backup(target))
                    .isInstanceOf(NeuralCoreException.class)
                    .extracting(e -> ((NeuralCoreException) e).code())
                    .isEqualTo(ErrorCode.ALREADY_EXISTS);
            try (Journals copy = new Journals(copies)) {
                int rows = copy.all("tasks", null, 1000).size();
                assertThat(rows).isBetween(5000, 7000);
                assertThat(copy.journal.recovery().subscriptions().getFirst().acks())
                        .hasToString("up to 1 and {5=true}");
                copy.keepMessages("tasks", 1);
                assertThat(copy.all("tasks", null, 1000)).hasSize(rows + 1);
            }
        }
    }

    @Test
    void aJournalHasOneOwner() {
        try (Journals journals = new Journals(folder)) {
            assertThat(journals.journal.recovery()).isEqualTo(Recovery.NOTHING);
            assertThatThrownBy(() -> new Journals(folder))
                    .isInstanceOf(NeuralCoreException.class)
                    .extracting(e -> ((NeuralCoreException) e).code())
                    .isEqualTo(ErrorCode.DATA_FOLDER_LOCKED);
        }
    }

    @Test
    void whatTheOwnerShouldNotHaveAskedEndsAllWriting() {
        try (Journals journals = new Journals(folder)) {
            journals.append(journals.message("unknown", 0, new byte[1]));
            journals.listener.await(() -> journals.listener.failure() != null);
            assertThatThrownBy(() -> journals.append(new Entry.PublisherSeen(1, 1)))
                    .isInstanceOf(NeuralCoreException.class);
        }
    }
}
