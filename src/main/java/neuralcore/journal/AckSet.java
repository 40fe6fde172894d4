package neuralcore.journal;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Which messages of a channel a durable subscription has settled: all up to a floor, and some
 * beyond it.
 *
 * <p>Channel numbers have no gaps, so the floor rises as soon as the next number is settled. What
 * is settled beyond is a bitmap in chunks of 4,096 numbers: half a kilobyte each, and only while
 * the floor has not passed it. O(1) amortised, O(log chunks) for the first in a chunk. Not
 * thread-safe.
 */
public final class AckSet {
    /** Numbers in a chunk. */
    public static final int CHUNK = 4096;

    private static final int WORDS = CHUNK / Long.SIZE;

    private final TreeMap<Long, long[]> chunks = new TreeMap<>();
    private long floor;
    private long beyond;

    public AckSet(long floor) {
        this.floor = floor;
    }

    /** All numbers up to this one are settled. */
    public long floor() {
        return floor;
    }

    /** How many numbers beyond the floor are settled. */
    public long beyond() {
        return beyond;
    }

    public boolean contains(long number) {
        if (number <= floor) {
            return true;
        }
        long[] bits = chunks.get(chunkOf(number));
        return bits != null && (bits[wordOf(number)] & 1L << number) != 0;
    }

    /** Settles a number; false if it was. */
    public boolean add(long number) {
        if (number <= floor) {
            return false;
        }
        if (number == floor + 1) {
            floor++;
            rise();
            return true;
        }
        long[] bits = chunks.computeIfAbsent(chunkOf(number), key -> new long[WORDS]);
        long before = bits[wordOf(number)];
        long after = before | 1L << number;
        if (before == after) {
            return false;
        }
        bits[wordOf(number)] = after;
        beyond++;
        return true;
    }

    /** Settles all numbers up to this one; returns how many were not. */
    public long raiseTo(long upTo) {
        if (upTo <= floor) {
            return 0;
        }
        long settled = 0;
        for (long number = floor + 1; number <= upTo; ) {
            long[] bits = chunks.get(chunkOf(number));
            long end = Math.min(upTo, lastOf(chunkOf(number)));
            if (bits != null) {
                for (long n = number; n <= end; n++) {
                    settled += bits[wordOf(n)] >>> n & 1;
                }
            }
            number = end + 1;
        }
        long fresh = upTo - floor - settled;
        beyond -= settled;
        floor = upTo;
        rise();
        return fresh;
    }

    /** Lets the floor pass what is settled right behind it. */
    private void rise() {
        while (contains(floor + 1)) {
            floor++;
            beyond--;
        }
        while (!chunks.isEmpty() && lastOf(chunks.firstKey()) <= floor) {
            chunks.pollFirstEntry();
        }
    }

    /** The settled numbers beyond the floor, ascending. */
    public void forEachBeyond(LongConsumer action) {
        chunks.forEach(
                (chunk, bits) -> {
                    for (long n = Math.max(floor + 1, chunk * CHUNK); n <= lastOf(chunk); n++) {
                        if ((bits[wordOf(n)] & 1L << n) != 0) {
                            action.accept(n);
                        }
                    }
                });
    }

    /** An independent copy. */
    public AckSet copy() {
        AckSet copy = new AckSet(floor);
        chunks.forEach((chunk, bits) -> copy.chunks.put(chunk, bits.clone()));
        copy.beyond = beyond;
        return copy;
    }

    /** The chunk that a number falls into. */
    static long chunkOf(long number) {
        return number / CHUNK;
    }

    /** The bits of a chunk, word by word; null if none of its numbers is beyond the floor. */
    long @Nullable [] bits(long chunk) {
        return chunks.get(chunk);
    }

    /** Puts back a chunk that {@link #bits} gave; its numbers up to the floor count for nothing. */
    void restore(long chunk, long[] bits) {
        if (lastOf(chunk) > floor) {
            chunks.put(chunk, Arrays.copyOf(bits, WORDS));
            for (long n = Math.max(floor + 1, chunk * CHUNK); n <= lastOf(chunk); n++) {
                beyond += bits[wordOf(n)] >>> n & 1;
            }
        }
    }

    private static long lastOf(long chunk) {
        return chunk * CHUNK + CHUNK - 1;
    }

    private static int wordOf(long number) {
        return (int) (number % CHUNK) / Long.SIZE;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof AckSet set
                && set.floor == floor
                && set.beyond == beyond
                && listed().equals(set.listed());
    }

    @Override
    public int hashCode() {
        return Long.hashCode(floor * 31 + beyond);
    }

    @Override
    public String toString() {
        return "up to " + floor + (beyond == 0 ? "" : " and " + listed());
    }

    private Map<Long, Boolean> listed() {
        Map<Long, Boolean> listed = new TreeMap<>();
        forEachBeyond(n -> listed.put(n, true));
        return listed;
    }
}
