package neuralcore.bus;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What is to be done at a time: leases that run out, retries, delayed messages, waiting for a rate.
 *
 * <p>A binary heap by due time, then by the order of setting, in which each timer knows its place,
 * so that a lease that was settled takes its timer with it. Setting and cancelling cost O(log n);
 * setting one that is due after all others, as leases mostly are, costs O(1). Not thread-safe.
 */
final class Timers {
    static final long NEVER = Long.MAX_VALUE;

    /** Something to be done once; it may be set again afterwards. */
    abstract static class Timer {
        private long dueMillis = NEVER;
        private long order;
        private int place = -1;

        final boolean isSet() {
            return place >= 0;
        }

        abstract void fire(long nowMillis, Effects effects);

        private boolean isBefore(Timer other) {
            return dueMillis != other.dueMillis ? dueMillis < other.dueMillis : order < other.order;
        }
    }

    private @Nullable Timer[] heap = new @Nullable Timer[16];
    private int size;
    private long settings;
    private long nowMillis;

    /** When the next is due; {@link #NEVER} if none is set. */
    long nextDue() {
        return size == 0 ? NEVER : at(0).dueMillis;
    }

    int size() {
        return size;
    }

    /** The time of the step in hand. */
    long nowMillis() {
        return nowMillis;
    }

    void now(long millis) {
        nowMillis = millis;
    }

    /** Sets a timer, anew if it was set already. */
    void set(Timer timer, long dueMillis) {
        cancel(timer);
        if (size == heap.length) {
            heap = Arrays.copyOf(heap, 2 * size);
        }
        timer.dueMillis = dueMillis;
        timer.order = ++settings;
        place(timer, size++);
        up(timer);
    }

    /** Does nothing to one that is not set. */
    void cancel(Timer timer) {
        int hole = timer.place;
        if (hole < 0) {
            return;
        }
        timer.place = -1;
        Timer last = at(--size);
        heap[size] = null;
        if (last != timer) {
            place(last, hole);
            up(last);
            down(last);
        }
    }

    /** Does all that is due, in order; what it sets meanwhile only if that is due as well. */
    void fire(long nowMillis, Effects effects) {
        while (size > 0 && at(0).dueMillis <= nowMillis) {
            Timer due = at(0);
            cancel(due);
            due.fire(nowMillis, effects);
        }
    }

    private void up(Timer timer) {
        int index = timer.place;
        while (index > 0) {
            Timer parent = at((index - 1) / 2);
            if (!timer.isBefore(parent)) {
                break;
            }
            place(parent, index);
            index = (index - 1) / 2;
        }
        place(timer, index);
    }

    private void down(Timer timer) {
        int index = timer.place;
        while (true) {
            int child = 2 * index + 1;
            if (child >= size) {
                break;
            }
            if (child + 1 < size && at(child + 1).isBefore(at(child))) {
                child++;
            }
            if (!at(child).isBefore(timer)) {
                break;
            }
            place(at(child), index);
            index = child;
        }
        place(timer, index);
    }

    private void place(Timer timer, int index) {
        heap[index] = timer;
        timer.place = index;
    }

    // Below size there are only timers.
    @SuppressWarnings("NullAway")
    private Timer at(int index) {
        return heap[index];
    }
}
