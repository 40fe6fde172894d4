package neuralcore.journal;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.Json;

/**
 * What a journal costs as it grows: at each of the numbers of rows given, the time that all rows up
 * to it took to be kept, a page of the newest and of the most urgent ones, and a start on a copy of
 * the files as a kill would leave them.
 *
 * <pre>java -cp … neuralcore.journal.JournalGrowth FOLDER ROWS…</pre>
 *
 * Prints a JSON list with an object for each number.
 */
public final class JournalGrowth {
    private static final int GROUP = 500;
    private static final int GROUPS_IN_FLIGHT = 64;
    private static final int PAGE = 4096;

    private JournalGrowth() {}

    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createDirectories(Path.of(arguments[0]));
        SqliteLibrary.provide(folder.resolve("cache"));
        JournalBenchmark.Window window = new JournalBenchmark.Window(GROUPS_IN_FLIGHT);
        List<Object> points = new ArrayList<>();
        Path file = JournalBenchmark.clean(folder.resolve("growing"));
        Path killed = folder.resolve("killed");
        try (Journal journal = JournalBenchmark.open(file, window)) {
            JournalBenchmark.configure(journal, window);
            long sequence = 0;
            double seconds = 0;
            for (int i = 1; i < arguments.length; i++) {
                long rows = Long.parseLong(arguments[i]);
                long began = System.nanoTime();
                while (sequence < rows) {
                    window.free.acquire();
                    List<Entry> group = new ArrayList<>(GROUP);
                    for (int k = 0; k < GROUP; k++) {
                        group.add(JournalBenchmark.message(++sequence));
                    }
                    journal.append(group, Durability.DISK);
                }
                window.free.acquire(GROUPS_IN_FLIGHT);
                window.free.release(GROUPS_IN_FLIGHT);
                seconds += (System.nanoTime() - began) / 1e9;
                Map<String, Object> point = new LinkedHashMap<>();
                point.put("rows", sequence);
                point.put("write_seconds", seconds);
                point.put("file_bytes", journal.stats().fileBytes());
                point.put("newest_page_ms", page(journal, null, sequence));
                point.put("urgent_page_ms", page(journal, 3L, sequence));
                JournalBenchmark.copy(file, JournalBenchmark.clean(killed));
                point.put("start_ms", start(killed, sequence));
                points.add(point);
            }
        }
        JournalBenchmark.clean(killed);
        JournalBenchmark.clean(file);
        System.out.println(Json.writeText(points));
    }

    /** The median of seven pages from the last tenth. */
    private static double page(Journal journal, Long priority, long rows) {
        List<Double> times = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            long after = rows - rows / 10 + i;
            long began = System.nanoTime();
            Page page =
                    journal.read(new PageRequest("tasks", priority, after, rows, PAGE, 64 << 20));
            times.add((System.nanoTime() - began) / 1e6);
            if (page.messages().size() != PAGE) {
                throw new IllegalStateException(page.messages().size() + " messages");
            }
        }
        return times.stream().sorted().toList().get(3);
    }

    /** The first start has the log to read, as after a kill. */
    private static double start(Path killed, long rows) {
        long began = System.nanoTime();
        try (Journal journal = JournalBenchmark.open(killed, new JournalBenchmark.Window(1))) {
            double millis = (System.nanoTime() - began) / 1e6;
            if (journal.recovery().lastSequence() != rows) {
                throw new IllegalStateException("rows are missing");
            }
            return millis;
        }
    }
}
