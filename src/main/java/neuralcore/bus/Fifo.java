package neuralcore.bus;

import java.util.Arrays;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** First in, first out, in a ring that doubles as needed; every operation but a sweep is O(1). */
final class Fifo<T> {
    private static final int FIRST_CAPACITY = 4;

    /** A ring larger than this is given back once it is empty. */
    private static final int KEPT_CAPACITY = 1024;

    /** What the values here have as priority; for the owner's use. */
    final long priority;

    private @Nullable Object[] ring = new @Nullable Object[FIRST_CAPACITY];
    private int head;
    private int size;

    Fifo(long priority) {
        this.priority = priority;
    }

    boolean isEmpty() {
        return size == 0;
    }

    void add(T value) {
        if (size == ring.length) {
            grow();
        }
        ring[(head + size++) & (ring.length - 1)] = value;
    }

    /** The oldest value; there must be one. */
    T peek() {
        return at(head);
    }

    /** Takes the oldest value; there must be one. */
    T poll() {
        T value = at(head);
        ring[head] = null;
        head = (head + 1) & (ring.length - 1);
        if (--size == 0) {
            emptied();
        }
        return value;
    }

    /** Takes out what matches and keeps the order of the rest; returns how many matched. */
    int removeIf(Predicate<? super T> matches) {
        int mask = ring.length - 1;
        int kept = 0;
        for (int i = 0; i < size; i++) {
            T value = at((head + i) & mask);
            if (!matches.test(value)) {
                ring[(head + kept++) & mask] = value;
            }
        }
        int removed = size - kept;
        for (int i = kept; i < size; i++) {
            ring[(head + i) & mask] = null;
        }
        size = kept;
        if (kept == 0) {
            emptied();
        }
        return removed;
    }

    private void emptied() {
        head = 0;
        if (ring.length > KEPT_CAPACITY) {
            ring = new @Nullable Object[FIRST_CAPACITY];
        }
    }

    private void grow() {
        @Nullable Object[] larger = Arrays.copyOfRange(ring, head, head + 2 * ring.length);
        System.arraycopy(ring, 0, larger, ring.length - head, head);
        ring = larger;
        head = 0;
    }

    // Between head and head + size there are only values that add() put there.
    @SuppressWarnings({"unchecked", "NullAway"})
    private T at(int index) {
        return (T) ring[index];
    }
}
