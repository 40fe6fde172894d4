package neuralcore.journal;

import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.ErrorCode;

/**
 * A process that writes to a journal as fast as it can and prints the sequence number up to which
 * everything is committed, until it is killed.
 */
final class WritingChild {
    private WritingChild() {}

    public static void main(String[] arguments) throws Exception {
        SqliteLibrary.provide(Path.of("target", "test-cache").toAbsolutePath());
        JournalFiles files = new JournalFiles(Path.of(arguments[0]));
        PrintStream out =
                new PrintStream(
                        new FileOutputStream(java.io.FileDescriptor.out),
                        true,
                        StandardCharsets.UTF_8);
        long[] sequenceOf = new long[1 << 20];
        JournalListener told =
                new JournalListener() {
                    @Override
                    public void committed(long position) {
                        out.println(sequenceOf[(int) position]);
                    }

                    @Override
                    public void refused(long position, ErrorCode code) {
                        out.println("refused");
                    }

                    @Override
                    public void full(boolean full) {}

                    @Override
                    public void pruned(Pruned pruned) {}

                    @Override
                    public void failed(ErrorCode code, String message) {
                        out.println("failed " + code);
                    }
                };
        Journal journal =
                SqliteJournal.open(files, Journals.SMALL, told, System::currentTimeMillis);
        long sequence = journal.recovery().lastSequence();
        if (sequence == 0) {
            journal.append(
                    List.of(new Entry.ChannelConfigured("tasks", "{}", Retention.FOREVER)),
                    Durability.DISK);
        }
        int groupSize = 1;
        for (int group = 2; group < sequenceOf.length; group++) {
            List<Entry> entries = new ArrayList<>();
            groupSize = groupSize % 50 + 7;
            for (int i = 0; i < groupSize; i++) {
                sequence++;
                entries.add(
                        new Entry.Message(
                                sequence,
                                Journals.envelope("tasks", sequence, i % 3, new byte[200]),
                                0,
                                0));
            }
            sequenceOf[group] = sequence;
            long position = journal.append(entries, Durability.DISK);
            sequenceOf[(int) position] = sequence;
            while (journal.stats().waitingBytes() > 1 << 16) {
                Thread.sleep(1);
            }
        }
    }
}
