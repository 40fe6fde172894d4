package neuralcore.journal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;

/**
 * What the journal does on this disk: rows a second at so many in flight, the disk's own rate of
 * confirming writes beside it, rows read a second, and the time a start takes on the files that a
 * kill leaves. Not a JMH benchmark, for each figure is of seconds of work with a disk.
 *
 * <pre>java -cp … neuralcore.journal.JournalBenchmark FOLDER ROWS</pre>
 */
public final class JournalBenchmark {
    private static final int RUNS = 5;
    private static final int BODY = 256;
    private static final long RUN_NANOS = 2_000_000_000L;

    static final class Window implements JournalListener {
        final Semaphore free;
        private long last;

        Window(int groups) {
            free = new Semaphore(groups);
        }

        @Override
        public void committed(long position) {
            free.release((int) (position - last));
            last = position;
        }

        @Override
        public void refused(long position, ErrorCode code) {
            throw new IllegalStateException("refused: " + code);
        }

        @Override
        public void full(boolean full) {}

        @Override
        public void pruned(Pruned pruned) {}

        @Override
        public void failed(ErrorCode code, String message) {
            throw new IllegalStateException(message);
        }
    }

    private JournalBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createDirectories(Path.of(arguments[0]));
        long rows = Long.parseLong(arguments[1]);
        SqliteLibrary.provide(folder.resolve("cache"));
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("body_bytes", (long) BODY);
        result.put("disk_syncs_per_second", disk(folder.resolve("sync")));
        for (int inFlight : new int[] {1, 100, 1_000, 10_000}) {
            result.put("rows_per_second_" + inFlight + "_in_flight", write(folder, inFlight, 1));
        }
        result.put("rows_per_second_1000_in_flight_groups_of_50", write(folder, 20, 50));
        big(folder, rows, result);
        String json = Json.writeText(result);
        System.out.println(json);
    }

    private static List<Double> disk(Path file) throws IOException {
        List<Double> rates = new ArrayList<>();
        for (int run = 0; run < RUNS; run++) {
            try (FileChannel channel =
                    FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                long began = System.nanoTime();
                int syncs = 200;
                for (int i = 0; i < syncs; i++) {
                    channel.write(ByteBuffer.allocate(4096), i * 4096L);
                    channel.force(false);
                }
                rates.add(syncs * 1e9 / (System.nanoTime() - began));
            }
            Files.delete(file);
        }
        return sorted(rates);
    }

    private static List<Double> write(Path folder, int groups, int perGroup) throws Exception {
        List<Double> rates = new ArrayList<>();
        for (int run = 0; run <= RUNS; run++) {
            Path file = clean(folder.resolve("write"));
            Window window = new Window(groups);
            try (Journal journal = open(file, window)) {
                configure(journal, window);
                long sequence = 0;
                long began = System.nanoTime();
                while (System.nanoTime() - began < RUN_NANOS / (run == 0 ? 2 : 1)) {
                    window.free.acquire();
                    List<Entry> group = new ArrayList<>(perGroup);
                    for (int i = 0; i < perGroup; i++) {
                        group.add(message(++sequence));
                    }
                    journal.append(group, Durability.DISK);
                }
                window.free.acquire(groups);
                if (run > 0) {
                    rates.add(sequence * 1e9 / (System.nanoTime() - began));
                }
            }
        }
        return sorted(rates);
    }

    /** Reading and starting, over many rows. */
    private static void big(Path folder, long rows, Map<String, Object> result) throws Exception {
        Path file = clean(folder.resolve("big"));
        Path killed = folder.resolve("killed");
        Window window = new Window(64);
        try (Journal journal = open(file, window)) {
            configure(journal, window);
            for (long sequence = 0; sequence < rows; ) {
                window.free.acquire();
                List<Entry> group = new ArrayList<>(500);
                for (int i = 0; i < 500; i++) {
                    group.add(message(++sequence));
                }
                journal.append(group, Durability.OS);
            }
            window.free.acquire(64);
            window.free.release(64);
            result.put("rows", rows);
            result.put("file_bytes", journal.stats().fileBytes());
            List<Double> all = new ArrayList<>();
            List<Double> urgent = new ArrayList<>();
            for (int run = 0; run < 3; run++) {
                all.add(read(journal, null, Math.min(rows, 500_000)));
                urgent.add(read(journal, 3L, Math.min(rows, 500_000)));
            }
            result.put("rows_read_per_second", sorted(all));
            result.put("rows_read_per_second_of_one_priority_of_ten", sorted(urgent));
            copy(file, clean(killed));
        }
        List<Double> starts = new ArrayList<>();
        for (int run = 0; run < 3; run++) {
            long began = System.nanoTime();
            try (Journal journal = open(killed, new Window(1))) {
                starts.add((System.nanoTime() - began) / 1e6);
                if (journal.recovery().lastSequence() != rows) {
                    throw new IllegalStateException("rows are missing");
                }
            }
        }
        result.put("start_after_kill_ms_first", starts.getFirst());
        result.put("start_ms", sorted(starts));
    }

    private static double read(Journal journal, Long priority, long upTo) {
        long began = System.nanoTime();
        long rows = 0;
        for (long at = 0; at < upTo; ) {
            Page page = journal.read(new PageRequest("tasks", priority, at, upTo, 4096, 4 << 20));
            rows += page.messages().size();
            at = page.upToSequence();
        }
        return rows * 1e9 / (System.nanoTime() - began);
    }

    static Entry message(long sequence) {
        return new Entry.Message(
                sequence,
                new Envelope(
                        "tasks",
                        7,
                        sequence,
                        sequence,
                        sequence % 10,
                        0,
                        0,
                        Envelope.BYTES,
                        Envelope.NONE,
                        new byte[BODY],
                        BODY),
                0,
                0);
    }

    static void configure(Journal journal, Window window) throws InterruptedException {
        window.free.acquire();
        journal.append(
                List.of(new Entry.ChannelConfigured("tasks", "{}", Retention.FOREVER)),
                Durability.DISK);
    }

    static Journal open(Path folder, JournalListener listener) {
        JournalSettings settings = new JournalSettings(0, 0, 1 << 20, 16 << 20, 4096);
        return SqliteJournal.open(
                new JournalFiles(folder.resolve("b.journal")),
                settings,
                listener,
                System::currentTimeMillis);
    }

    static Path clean(Path folder) throws IOException {
        Files.createDirectories(folder);
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        return folder;
    }

    static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.toList()) {
                if (!file.toString().endsWith("-shm")) {
                    Files.copy(file, to.resolve(file.getFileName()));
                }
            }
        }
    }

    private static List<Double> sorted(List<Double> values) {
        double[] sorted = values.stream().mapToDouble(value -> value).sorted().toArray();
        return Arrays.stream(sorted).mapToObj(value -> Math.rint(value * 10) / 10).toList();
    }
}
