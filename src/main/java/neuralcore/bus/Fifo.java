package neuralcore.bus;

import java.util.Arrays;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * First in, first out, in a ring that doubles as needed. Every operation is O(1), but a sweep and
 * what finds or places a value by its number: that one searches in O(log n), and moves the shorter
 * side of the ring.
 */
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

    /**
     * Places a value among those whose numbers grow from the oldest to the newest, as though it had
     * come in its turn.
     */
    void insert(T value, ToLongFunction<? super T> number) {
        int index = firstNotBefore(number.applyAsLong(value), number);
        add(value);
        int mask = ring.length - 1;
        if (index < size / 2) {
            head = (head - 1) & mask;
            // What add() put last becomes the empty place before the first.
            ring[(head + size) & mask] = null;
            for (int i = 0; i < index; i++) {
                ring[(head + i) & mask] = ring[(head + i + 1) & mask];
            }
        } else {
            for (int i = size - 1; i > index; i--) {
                ring[(head + i) & mask] = ring[(head + i - 1) & mask];
            }
        }
        ring[(head + index) & mask] = value;
    }

    boolean holds(long wanted, ToLongFunction<? super T> number) {
        int index = firstNotBefore(wanted, number);
        return index < size && number.applyAsLong(at((head + index) & (ring.length - 1))) == wanted;
    }

    /** Takes out the value with this number; false if it is not here. Numbers must grow. */
    boolean remove(long wanted, ToLongFunction<? super T> number) {
        int mask = ring.length - 1;
        int index = firstNotBefore(wanted, number);
        if (index == size || number.applyAsLong(at((head + index) & mask)) != wanted) {
            return false;
        }
        if (index < size / 2) {
            for (int i = index; i > 0; i--) {
                ring[(head + i) & mask] = ring[(head + i - 1) & mask];
            }
            ring[head] = null;
            head = (head + 1) & mask;
        } else {
            for (int i = index; i < size - 1; i++) {
                ring[(head + i) & mask] = ring[(head + i + 1) & mask];
            }
            ring[(head + size - 1) & mask] = null;
        }
        if (--size == 0) {
            emptied();
        }
        return true;
    }

    private int firstNotBefore(long wanted, ToLongFunction<? super T> number) {
        int low = 0;
        int high = size;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (number.applyAsLong(at((head + middle) & (ring.length - 1))) < wanted) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
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
