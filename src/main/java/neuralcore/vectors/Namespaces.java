package neuralcore.vectors;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/**
 * Where each id of each namespace stands. Not thread-safe; whoever owns it keeps writers and
 * readers apart.
 */
final class Namespaces {
    private static final class Namespace {
        final Map<Object, Integer> slots = new HashMap<>();
        final RoaringBitmap live = new RoaringBitmap();
    }

    /** By the number that {@link Columns} gives. */
    private final List<Namespace> all = new ArrayList<>();

    /** The slot of an id, or null. */
    @Nullable Integer slot(int namespace, Object id) {
        return isKnown(namespace) ? all.get(namespace).slots.get(id) : null;
    }

    /** Puts an id, answers the slot it had. */
    @Nullable Integer put(int namespace, Object id, int slot) {
        while (all.size() <= namespace) {
            all.add(new Namespace());
        }
        Namespace entry = all.get(namespace);
        Integer before = entry.slots.put(id, slot);
        if (before != null) {
            entry.live.remove(before);
        }
        entry.live.add(slot);
        return before;
    }

    void remove(int namespace, Object id, int slot) {
        Namespace entry = all.get(namespace);
        entry.slots.remove(id);
        entry.live.remove(slot);
    }

    /** The slots of a namespace; not to be changed. */
    RoaringBitmap live(int namespace) {
        return isKnown(namespace) ? all.get(namespace).live : new RoaringBitmap();
    }

    private boolean isKnown(int namespace) {
        return namespace >= 0 && namespace < all.size();
    }

    /** How many namespaces have rows. */
    int inUse() {
        return (int) all.stream().filter(entry -> !entry.slots.isEmpty()).count();
    }
}
