package neuralcore.journal;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import neuralcore.wire.Envelope;

/** A journal under test: what was appended to it is known. */
final class Journals implements AutoCloseable {
    static final JournalSettings SMALL = new JournalSettings(0, 0, 1 << 16, 1 << 20, 100);

    final JournalFiles files;
    final JournalSettings settings;
    final RecordedListener listener = new RecordedListener();
    final AtomicLong clock;
    final Journal journal;
    private long sequence;
    private long position;

    Journals(Path folder) {
        this(folder, SMALL, new AtomicLong(1_700_000_000_000L));
    }

    Journals(Path folder, JournalSettings settings, AtomicLong clock) {
        SqliteLibrary.provide(Path.of("target", "test-cache").toAbsolutePath());
        this.files = new JournalFiles(folder.resolve("test.journal"));
        this.settings = settings;
        this.clock = clock;
        journal = SqliteJournal.open(files, settings, listener, clock::get);
        sequence = journal.recovery().lastSequence();
    }

    /** Lets go and opens the same files again. */
    Journals reopened() {
        journal.close();
        return new Journals(files.folder(), settings, clock);
    }

    Journals configured(String... channels) {
        for (String channel : channels) {
            append(new Entry.ChannelConfigured(channel, "{}", Retention.FOREVER));
        }
        return this;
    }

    long append(Entry... entries) {
        return append(Durability.DISK, entries);
    }

    long append(Durability durability, Entry... entries) {
        position = journal.append(List.of(entries), durability);
        return position;
    }

    /** Appends and waits. */
    void keep(Entry... entries) {
        append(entries);
        settle();
    }

    void settle() {
        listener.awaitCommit(position);
    }

    /** Messages of a channel, as one group, with priorities 0 to 4 in turn. */
    void keepMessages(String channel, int count) {
        List<Entry> group = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            group.add(message(channel, i % 5, new byte[20 + i % 30]));
        }
        position = journal.append(group, Durability.DISK);
        settle();
    }

    Entry.Message message(String channel, long priority, byte[] body) {
        sequence++;
        return new Entry.Message(
                sequence, envelope(channel, sequence, priority, body), sequence % 7, sequence % 11);
    }

    static Envelope envelope(String channel, long number, long priority, byte[] body) {
        return new Envelope(
                channel,
                0x1234_5678_9abcL,
                number,
                1_700_000_000_123_456_789L + number,
                priority,
                (int) (number % 1000),
                0,
                Envelope.MSGPACK,
                Envelope.MSGPACK,
                body,
                body.length / 2);
    }

    List<StoredMessage> all(String channel) {
        return all(channel, null, 7);
    }

    /** All messages of a channel, page by page. */
    List<StoredMessage> all(String channel, Long priority, int pageSize) {
        List<StoredMessage> all = new ArrayList<>();
        for (long at = 0; at < sequence; ) {
            Page page =
                    journal.read(
                            new PageRequest(channel, priority, at, sequence, pageSize, 1 << 20));
            all.addAll(page.messages());
            at = page.upToSequence();
        }
        return all;
    }

    long sequence() {
        return sequence;
    }

    @Override
    public void close() {
        journal.close();
    }
}
