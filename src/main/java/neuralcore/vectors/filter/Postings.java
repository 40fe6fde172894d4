package neuralcore.vectors.filter;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/**
 * The slots of one path: those that have it, and those of each value, in the values' order. A value
 * that one row alone has, as ids and titles do, costs an Integer and no bitmap.
 *
 * <p>Not thread-safe for writers.
 */
final class Postings {
    private final RoaringBitmap present = new RoaringBitmap();

    /** An {@link Integer} or a {@link RoaringBitmap} each. */
    private final TreeMap<Value, Object> slots = new TreeMap<>();

    RoaringBitmap present() {
        return present;
    }

    void addPresent(int slot) {
        present.add(slot);
    }

    /** Whether nothing is left. */
    boolean removePresent(int slot) {
        present.remove(slot);
        return present.isEmpty();
    }

    void add(Value value, int slot) {
        switch (slots.get(value)) {
            case null -> slots.put(value, slot);
            case RoaringBitmap bitmap -> bitmap.add(slot);
            case Object single -> {
                if ((Integer) single != slot) {
                    slots.put(value, RoaringBitmap.bitmapOf((Integer) single, slot));
                }
            }
        }
    }

    void remove(Value value, int slot) {
        switch (slots.get(value)) {
            case null -> {}
            case RoaringBitmap bitmap -> {
                bitmap.remove(slot);
                if (bitmap.isEmpty()) {
                    slots.remove(value);
                }
            }
            case Object single -> {
                if ((Integer) single == slot) {
                    slots.remove(value);
                }
            }
        }
    }

    void collect(Value value, RoaringBitmap into) {
        collectSlots(slots.get(value), into);
    }

    void collect(Filter.Between range, RoaringBitmap into) {
        // The bounds of a half-open range are the ends of its kind.
        Map<Value, Object> part = slots;
        Value low = range.low();
        Value high = range.high();
        if (low != null && high != null) {
            if (low.compareTo(high) > 0) {
                return;
            }
            part = slots.subMap(low, range.lowIncluded(), high, range.highIncluded());
        } else if (low != null) {
            part = slots.tailMap(low, range.lowIncluded());
        } else if (high != null) {
            part = slots.headMap(high, range.highIncluded());
        }
        for (Map.Entry<Value, Object> entry : part.entrySet()) {
            if (entry.getKey().kind() == range.kind()) {
                collectSlots(entry.getValue(), into);
            }
        }
    }

    private static void collectSlots(@Nullable Object slots, RoaringBitmap into) {
        switch (slots) {
            case null -> {}
            case RoaringBitmap bitmap -> into.or(bitmap);
            case Object single -> into.add((Integer) single);
        }
    }
}
