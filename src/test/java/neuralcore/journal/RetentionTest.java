package neuralcore.journal;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class RetentionTest {
    private static final DurableName WORKERS = new DurableName("tasks", "workers");

    @TempDir Path folder;

    private static void retain(Journals journals, Retention retention) {
        journals.keep(new Entry.ChannelConfigured("tasks", "{}", retention));
    }

    private static void awaitPruned(Journals journals, long rows) {
        journals.listener.await(() -> journals.listener.prunedRows() >= rows);
    }

    private static void awaitOldest(Journals journals, long number) {
        List<StoredMessage> left = journals.all("tasks", null, 1000);
        assertThat(left.getFirst().number()).isEqualTo(number);
        for (int i = 0; i < left.size(); i++) {
            assertThat(left.get(i).number()).isEqualTo(number + i);
        }
    }

    @Test
    void onlySoManyRowsStay() {
        try (Journals journals = new Journals(folder)) {
            retain(journals, new Retention(0, 1500, 0, false));
            journals.keepMessages("tasks", 7000);
            awaitPruned(journals, 5500);
            awaitOldest(journals, 5501);
            assertThat(journals.listener.prunedRows()).isEqualTo(5500);
            assertThat(journals.listener.prunedUnacknowledged()).isZero();
            try (Journals again = journals.reopened()) {
                Recovery.Channel channel = again.journal.recovery().channels().getFirst();
                assertThat(channel.prunedUpTo()).isEqualTo(5500);
                assertThat(channel.lastNumber()).isEqualTo(7000);
                again.listener.await(() -> again.journal.stats().verified());
                assertThat(again.journal.locate("tasks", new StartAt.First()).afterNumber())
                        .isEqualTo(5500);
                assertThat(again.journal.locate("tasks", new StartAt.Last(6000)).afterNumber())
                        .isEqualTo(5500);
            }
        }
    }

    /** A statement that SQLite holds for unfinished lets no transaction end. */
    @Test
    void aPriorityWithoutRowsIsLookedForAfterACheckpoint() {
        JournalSettings often = new JournalSettings(3_600_000, 0, 1 << 16, 1, 16);
        try (Journals journals = new Journals(folder, often, new AtomicLong(1_700_000_000_000L))) {
            retain(journals, new Retention(0, 10, 0, false));
            for (int priority = 0; priority < 3; priority++) {
                Entry[] group = new Entry[50];
                for (int i = 0; i < group.length; i++) {
                    group[i] = journals.message("tasks", priority, new byte[20]);
                }
                journals.keep(group);
                awaitPruned(journals, 50L * (priority + 1) - 10);
            }
            journals.keepMessages("tasks", 10);
            awaitPruned(journals, 150);
            awaitOldest(journals, 151);
        }
    }

    @Test
    void onlySoManyBytesStay() {
        try (Journals journals = new Journals(folder)) {
            retain(journals, new Retention(0, 0, 100_000, false));
            for (int i = 0; i < 100; i++) {
                Entry[] group = new Entry[20];
                for (int k = 0; k < group.length; k++) {
                    group[k] = journals.message("tasks", 0, new byte[1000 - MessageRow.HEADER]);
                }
                journals.keep(group);
            }
            awaitPruned(journals, 1900);
            awaitOldest(journals, 1901);
        }
    }

    @Test
    void onlyTheYoungStay() {
        try (Journals journals = new Journals(folder)) {
            retain(journals, new Retention(60_000, 0, 0, false));
            journals.keepMessages("tasks", 100);
            journals.clock.addAndGet(30_000);
            journals.keepMessages("tasks", 50);
            journals.clock.addAndGet(31_000);
            awaitPruned(journals, 100);
            awaitOldest(journals, 101);
            journals.clock.addAndGet(31_000);
            awaitPruned(journals, 150);
            assertThat(journals.all("tasks")).isEmpty();
            journals.keepMessages("tasks", 1);
            awaitOldest(journals, 151);
            try (Journals again = journals.reopened()) {
                assertThat(again.journal.recovery().channels().getFirst().lastNumber())
                        .isEqualTo(151);
            }
        }
    }

    @Test
    void whatIsNotSettledStays() {
        try (Journals journals = new Journals(folder)) {
            retain(journals, new Retention(0, 10, 0, false));
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 0, "{}"));
            journals.keepMessages("tasks", 100);
            journals.keep(new Entry.Settled(WORKERS, 1), new Entry.Settled(WORKERS, 2));
            awaitPruned(journals, 2);
            awaitOldest(journals, 3);
            for (int i = 3; i <= 60; i++) {
                journals.keep(new Entry.Settled(WORKERS, i));
            }
            awaitPruned(journals, 60);
            awaitOldest(journals, 61);
            assertThat(journals.listener.prunedUnacknowledged()).isZero();
        }
    }

    @Test
    void whatIsNotSettledGoesIfItIsToldTo() {
        try (Journals journals = new Journals(folder)) {
            retain(journals, Retention.FOREVER);
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 0, "{}"));
            journals.keepMessages("tasks", 100);
            journals.keep(new Entry.Settled(WORKERS, 50), new Entry.Attempt(WORKERS, 3, 1, ""));
            retain(journals, new Retention(0, 10, 0, true));
            awaitPruned(journals, 90);
            assertThat(journals.listener.prunedUnacknowledged()).isEqualTo(89);
            try (Journals again = journals.reopened()) {
                Recovery.Subscription found = again.journal.recovery().subscriptions().getFirst();
                assertThat(found.acks()).isEqualTo(new AckSet(90));
                assertThat(found.attempts()).isEmpty();
            }
        }
    }

    @Test
    void whatIsPurgedGoes() {
        try (Journals journals = new Journals(folder)) {
            retain(journals, Retention.FOREVER);
            journals.keep(new Entry.SubscriptionOpened(WORKERS, 0, "{}"));
            journals.keepMessages("tasks", 100);
            journals.keep(new Entry.Purged("tasks", 30));
            awaitPruned(journals, 30);
            awaitOldest(journals, 31);
            assertThat(journals.listener.prunedUnacknowledged()).isEqualTo(30);
        }
    }

    @Test
    void theWholeNamespaceIsBounded() {
        JournalSettings bounded = new JournalSettings(0, 100_000, 1 << 16, 1 << 20, 100);
        java.util.concurrent.atomic.AtomicLong clock =
                new java.util.concurrent.atomic.AtomicLong(1_700_000_000_000L);
        try (Journals journals =
                new Journals(folder, bounded, clock).configured("tasks", "other")) {
            for (int i = 0; i < 100; i++) {
                clock.addAndGet(1);
                Entry[] group = new Entry[4];
                for (int k = 0; k < group.length; k++) {
                    group[k] =
                            journals.message(
                                    k % 2 == 0 ? "tasks" : "other",
                                    0,
                                    new byte[1000 - MessageRow.HEADER]);
                }
                journals.keep(group);
            }
            awaitPruned(journals, 300);
            assertThat(journals.listener.prunedRows()).isEqualTo(300);
            assertThat(journals.all("tasks").size() + journals.all("other").size()).isEqualTo(100);
        }
    }
}
