package neuralcore.bus;

import java.util.Comparator;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NoSuchElementException;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * A priority queue for any {@code long}, lower first, first in first out among equals. Not
 * thread-safe.
 *
 * <p>Priorities 0 to 255 have a bucket each. A bitmap tells which hold something, so the first and
 * the last are found by counting zeros in at most four words: pushing, taking from either end and
 * looking are O(1). All other priorities share a sorted map and cost O(log p) in the number p of
 * those in use. Buckets come into being with their first value, 64 at a time, so a queue that uses
 * only 0 to 10 and 100, as ATLAS does, has two rows of them.
 *
 * <p>A single value needs no bucket: most queues hold one message or none, and with a thousand
 * channels what a message costs is how much memory it has to touch.
 */
final class PriorityBuckets<T> {
    private static final int ROW = 64;
    private static final int ROWS = 4;
    private static final int EXACT = ROW * ROWS;

    private final long[] occupied = new long[ROWS];

    @SuppressWarnings({"unchecked", "rawtypes"})
    private final @Nullable Fifo<T>[] @Nullable [] rows = new Fifo[ROWS][];

    private final NavigableMap<Long, Fifo<T>> others = new TreeMap<>();
    private int size;

    /** The only value, if there is one and it has not gone to its bucket. */
    private @Nullable T single;

    private long singlePriority;

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }

    void push(long priority, T value) {
        if (size == 0) {
            single = value;
            singlePriority = priority;
            size = 1;
            return;
        }
        useBuckets();
        bucket(priority).add(value);
        size++;
    }

    /**
     * Puts back a value, or one that was held up, into the place its number gives it; the numbers
     * of what was pushed must have grown. O(log n) to find, and moves the shorter side of its
     * bucket.
     */
    void insert(long priority, T value, ToLongFunction<? super T> number) {
        useBuckets();
        bucket(priority).insert(value, number);
        size++;
    }

    /** Whether a value with this priority and number is here. */
    boolean holds(long priority, long wanted, ToLongFunction<? super T> number) {
        useBuckets();
        Fifo<T> bucket = bucket(priority);
        boolean holds = bucket.holds(wanted, number);
        forgetIfEmpty(bucket);
        return holds;
    }

    /** Takes out the value with this priority and number; false if it is not here. */
    boolean remove(long priority, long wanted, ToLongFunction<? super T> number) {
        useBuckets();
        Fifo<T> bucket = bucket(priority);
        boolean removed = bucket.remove(wanted, number);
        if (removed) {
            size--;
        }
        forgetIfEmpty(bucket);
        return removed;
    }

    /** The first of all buckets' oldest values by another order; O(buckets in use). */
    T peek(Comparator<? super T> order) {
        T best = peek();
        if (single != null) {
            return best;
        }
        for (int row = 0; row < ROWS; row++) {
            for (long bits = occupied[row]; bits != 0; bits &= bits - 1) {
                T next = exact(row * ROW + Long.numberOfTrailingZeros(bits)).peek();
                best = order.compare(next, best) < 0 ? next : best;
            }
        }
        for (Fifo<T> bucket : others.values()) {
            best = order.compare(bucket.peek(), best) < 0 ? bucket.peek() : best;
        }
        return best;
    }

    /** Takes the oldest value of a priority; there must be one. */
    T pop(long priority) {
        T only = single;
        return only == null ? takeFrom(bucket(priority)) : takeSingle(only);
    }

    /** The most urgent value, the oldest of its priority; there must be one. */
    T peek() {
        T only = single;
        return only == null ? first().peek() : only;
    }

    /** Takes what {@link #peek} shows. */
    T pop() {
        T only = single;
        return only == null ? takeFrom(first()) : takeSingle(only);
    }

    /** The highest priority number queued; there must be one. */
    long worstPriority() {
        return single == null ? last().priority : singlePriority;
    }

    /** Takes the oldest value of the worst priority; there must be one. */
    T evict() {
        T only = single;
        return only == null ? takeFrom(last()) : takeSingle(only);
    }

    /** Takes out what matches, O(size); returns how many matched. */
    int removeIf(Predicate<? super T> matches) {
        useBuckets();
        int removed = 0;
        for (int row = 0; row < ROWS; row++) {
            for (long bits = occupied[row]; bits != 0; bits &= bits - 1) {
                int priority = row * ROW + Long.numberOfTrailingZeros(bits);
                Fifo<T> bucket = exact(priority);
                removed += bucket.removeIf(matches);
                if (bucket.isEmpty()) {
                    occupied[row] &= ~(1L << priority);
                }
            }
        }
        for (Fifo<T> bucket : others.values()) {
            removed += bucket.removeIf(matches);
        }
        others.values().removeIf(Fifo::isEmpty);
        size -= removed;
        return removed;
    }

    private T takeSingle(T only) {
        single = null;
        size = 0;
        return only;
    }

    private void useBuckets() {
        T only = single;
        if (only != null) {
            single = null;
            bucket(singlePriority).add(only);
        }
    }

    private T takeFrom(Fifo<T> bucket) {
        T value = bucket.poll();
        size--;
        forgetIfEmpty(bucket);
        return value;
    }

    private void forgetIfEmpty(Fifo<T> bucket) {
        if (bucket.isEmpty()) {
            long priority = bucket.priority;
            if (priority >= 0 && priority < EXACT) {
                occupied[(int) priority / ROW] &= ~(1L << priority);
            } else {
                others.remove(priority);
            }
        }
    }

    /** The bucket of a priority, marked as holding something. */
    private Fifo<T> bucket(long priority) {
        if (priority >= 0 && priority < EXACT) {
            occupied[(int) priority / ROW] |= 1L << priority;
            return exact((int) priority);
        }
        return others.computeIfAbsent(priority, Fifo::new);
    }

    private Fifo<T> first() {
        if (!others.isEmpty() && others.firstKey() < 0) {
            return others.firstEntry().getValue();
        }
        for (int row = 0; row < ROWS; row++) {
            if (occupied[row] != 0) {
                return exact(row * ROW + Long.numberOfTrailingZeros(occupied[row]));
            }
        }
        return any(others.firstEntry());
    }

    private Fifo<T> last() {
        if (!others.isEmpty() && others.lastKey() >= EXACT) {
            return others.lastEntry().getValue();
        }
        for (int row = ROWS - 1; row >= 0; row--) {
            if (occupied[row] != 0) {
                return exact(row * ROW + 63 - Long.numberOfLeadingZeros(occupied[row]));
            }
        }
        return any(others.lastEntry());
    }

    private Fifo<T> exact(int priority) {
        @Nullable Fifo<T>[] row = rows[priority / ROW];
        if (row == null) {
            row = newRow();
            rows[priority / ROW] = row;
        }
        Fifo<T> bucket = row[priority % ROW];
        if (bucket == null) {
            bucket = new Fifo<>(priority);
            row[priority % ROW] = bucket;
        }
        return bucket;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static <T> @Nullable Fifo<T>[] newRow() {
        return new Fifo[ROW];
    }

    private static <T> Fifo<T> any(Map.@Nullable Entry<Long, Fifo<T>> entry) {
        if (entry == null) {
            throw new NoSuchElementException("The queue is empty.");
        }
        return entry.getValue();
    }
}
