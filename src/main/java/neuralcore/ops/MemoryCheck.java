package neuralcore.ops;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.LongSupplier;
import neuralcore.config.LoadedConfig;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * Compares what collections may take ({@code vectors.max_bytes}) with the memory there is. A limit
 * that memory cannot reach protects nothing: the daemon would end for lack of memory before it
 * refused a row.
 */
final class MemoryCheck {
    /** Share of Java's memory that collections may take without crowding out everything else. */
    private static final double SAFE_SHARE = 0.75;

    private static final String KEY = "vectors.max_bytes";

    /** What came of a comparison. */
    enum Verdict {
        FITS,
        /** More than is safe: told, and the daemon starts. */
        RISKY,
        /** Somebody asked for more than the machine has: the daemon does not start. */
        IMPOSSIBLE
    }

    /**
     * @param text the values, and what to do
     */
    record Outcome(Verdict verdict, String text) {}

    private MemoryCheck() {}

    /** Compares with this process and this machine. */
    static Outcome check(LoadedConfig loaded) {
        return check(loaded, Runtime.getRuntime().maxMemory(), MemoryCheck::machineBytes);
    }

    /**
     * Compares.
     *
     * @param heapBytes what Java may use
     * @param machineBytes what the machine or its container has; only asked where it matters,
     *     because the answer takes a start some milliseconds
     */
    static Outcome check(LoadedConfig loaded, long heapBytes, LongSupplier machineBytes) {
        long limit = loaded.config().vectors().maxBytes();
        LoadedConfig.Entry entry =
                loaded.entries().stream()
                        .filter(each -> each.key().equals(KEY))
                        .findFirst()
                        .orElseThrow();
        String given = "%s = %s (%s)".formatted(KEY, entry.value(), entry.source());
        long safe = (long) (SAFE_SHARE * heapBytes);
        if (limit <= safe) {
            return new Outcome(
                    Verdict.FITS, "%s; Java may use %s".formatted(given, mebibytes(heapBytes)));
        }
        long machine = machineBytes.getAsLong();
        boolean asked = !entry.source().startsWith("default");
        return new Outcome(
                asked && limit > machine ? Verdict.IMPOSSIBLE : Verdict.RISKY,
                ("%s is more than is safe: Java may use %s, the machine has %s. Set %s to at most"
                                + " %s, or let Java have more (-XX:MaxRAMPercentage in"
                                + " conf/jvm.options).")
                        .formatted(
                                given,
                                mebibytes(heapBytes),
                                mebibytes(machine),
                                KEY,
                                mebibytes(safe)));
    }

    /**
     * What is risky, empty if nothing is.
     *
     * @throws NeuralCoreException {@link ErrorCode#CONFIG_INVALID} for what is impossible
     */
    static String require(LoadedConfig loaded) {
        Outcome outcome = check(loaded);
        return switch (outcome.verdict()) {
            case FITS -> "";
            case RISKY -> outcome.text();
            case IMPOSSIBLE ->
                    throw new NeuralCoreException(ErrorCode.CONFIG_INVALID, outcome.text());
        };
    }

    private static long machineBytes() {
        return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class)
                .getTotalMemorySize();
    }

    private static String mebibytes(long bytes) {
        return "%d MiB".formatted(bytes >> 20);
    }
}
