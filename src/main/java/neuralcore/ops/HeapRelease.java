package neuralcore.ops;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.vertx.core.Vertx;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives memory that Java no longer needs back to the system once work has ended. The heap grows
 * while many vectors come in or are opened, before Java collects, and what it has it keeps: without
 * this, a daemon stays three times as large as the vectors in it.
 *
 * <p>Every {@link #LOOK} it is looked whether anything has been collected or much allocated since.
 * If not, but since the last release, the heap is collected concurrently ({@code
 * -XX:+ExplicitGCInvokesConcurrent} in {@code conf/jvm.options}; threads stop for some milliseconds
 * only) and shrunk to little more than what is alive. Then nothing more happens until it has grown
 * again. So a busy daemon never pays for it, and one without work pays once.
 *
 * <p>Of collectors only G1 does this without a long stop; with others nothing happens.
 */
final class HeapRelease {
    private static final Logger log = LoggerFactory.getLogger(HeapRelease.class);
    static final Duration LOOK = Duration.ofSeconds(1);

    /** How much of the heap may be free after a release, in percent; else Java's own 40 and 70. */
    private static final String FREE_AT_LEAST = "MinHeapFreeRatio";

    private static final String FREE_AT_MOST = "MaxHeapFreeRatio";

    private HeapRelease() {}

    /** Looks after the heap until Vert.x ends. Loads some classes, so not while starting. */
    static void start(Vertx vertx) {
        List<GarbageCollectorMXBean> collectors = ManagementFactory.getGarbageCollectorMXBeans();
        HotSpotDiagnosticMXBean hotspot =
                ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        if (hotspot == null || !isConcurrent(hotspot)) {
            return;
        }
        Runtime runtime = Runtime.getRuntime();
        Quiet quiet = new Quiet();
        vertx.setPeriodic(
                LOOK.toMillis(),
                timer -> {
                    long used = runtime.totalMemory() - runtime.freeMemory();
                    if (quiet.look(count(collectors), used, runtime.totalMemory())) {
                        vertx.executeBlocking(
                                        () -> {
                                            release(hotspot);
                                            quiet.released(
                                                    count(collectors), runtime.totalMemory());
                                            return null;
                                        })
                                .onFailure(
                                        e ->
                                                log.warn(
                                                        "No memory was given back: {}",
                                                        e.toString()));
                    }
                });
    }

    private static boolean isConcurrent(HotSpotDiagnosticMXBean hotspot) {
        return isOn(hotspot, "UseG1GC") && isOn(hotspot, "ExplicitGCInvokesConcurrent");
    }

    private static boolean isOn(HotSpotDiagnosticMXBean hotspot, String option) {
        return Boolean.parseBoolean(hotspot.getVMOption(option).getValue());
    }

    private static long count(List<GarbageCollectorMXBean> collectors) {
        return collectors.stream().mapToLong(GarbageCollectorMXBean::getCollectionCount).sum();
    }

    /** Returns when the concurrent collection has ended. */
    private static void release(HotSpotDiagnosticMXBean hotspot) {
        long before = Runtime.getRuntime().totalMemory();
        String least = hotspot.getVMOption(FREE_AT_LEAST).getValue();
        String most = hotspot.getVMOption(FREE_AT_MOST).getValue();
        // In an order in which the lesser is never above the greater.
        hotspot.setVMOption(FREE_AT_LEAST, "5");
        hotspot.setVMOption(FREE_AT_MOST, "10");
        try {
            System.gc();
        } finally {
            hotspot.setVMOption(FREE_AT_MOST, most);
            hotspot.setVMOption(FREE_AT_LEAST, least);
        }
        log.debug(
                "The heap was {} MiB and is {} MiB",
                before >> 20,
                Runtime.getRuntime().totalMemory() >> 20);
    }

    /** Whether work has just ended. Thread-safe. */
    static final class Quiet {
        /** Looks in a row without work. */
        static final int LOOKS = 3;

        /** Allocated between two looks, more is work; in G1's own measure, which is regions. */
        static final long IDLE_BYTES = 16L << 20;

        /** What is not worth a collection. */
        static final long LITTLE_BYTES = 16L << 20;

        private long seenCollections;
        private long seenUsed;
        private int quiet;
        private long heapThen;
        private boolean releasing;

        /**
         * Tells whether to release now; if so, {@link #released} must follow.
         *
         * @param collections so far
         * @param used bytes of the heap with objects in them, alive or not
         * @param heap bytes that the heap takes
         */
        synchronized boolean look(long collections, long used, long heap) {
            boolean work = collections != seenCollections || used > seenUsed + IDLE_BYTES;
            seenCollections = collections;
            seenUsed = used;
            quiet = work ? 0 : quiet + 1;
            boolean due = !releasing && quiet >= LOOKS && heap > heapThen + LITTLE_BYTES;
            releasing |= due;
            return due;
        }

        /** After a release, with its own collections counted. */
        synchronized void released(long collections, long heap) {
            seenCollections = collections;
            heapThen = heap;
            releasing = false;
        }
    }
}
