package neuralcore.embedding;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Vectors of texts that were embedded before, the least recently used ones forgotten first.
 *
 * <p>It belongs to one model in one precision. What changes a vector is in the key: the text with
 * its prefix, and whether it was computed by itself, since an int8 vector depends on its batch. A
 * vector is kept as the model gives it; a request's dimensions and length are made of it. Bounded
 * in bytes. Thread-safe; a look-up costs about as much as hashing the text.
 */
public final class VectorCache {

    /** A text with its prefix, and how it was computed. */
    public record Key(String text, boolean alone) {}

    /** What was computed, and from how many tokens. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    public record Entry(float[] vector, int tokens) {}

    // Object headers, the map's entry and the key, roughly.
    private static final int OVERHEAD = 120;

    private final long maxBytes;
    private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;
    private long hits;
    private long misses;

    /**
     * @param maxBytes most memory that it takes; 0 means that it keeps nothing
     */
    public VectorCache(long maxBytes) {
        this.maxBytes = maxBytes;
    }

    public boolean keepsNothing() {
        return maxBytes == 0;
    }

    public synchronized @Nullable Entry get(Key key) {
        Entry entry = entries.get(key);
        if (entry == null) {
            misses++;
        } else {
            hits++;
        }
        return entry;
    }

    public synchronized void put(Key key, Entry entry) {
        long size = size(key, entry);
        // One text must not push out most of the others.
        if (size > maxBytes / 8) {
            return;
        }
        Entry before = entries.put(key, entry);
        bytes += before == null ? size : size - size(key, before);
        var eldest = entries.entrySet().iterator();
        while (bytes > maxBytes) {
            Map.Entry<Key, Entry> oldest = eldest.next();
            bytes -= size(oldest.getKey(), oldest.getValue());
            eldest.remove();
        }
    }

    public synchronized void clear() {
        entries.clear();
        bytes = 0;
    }

    private static long size(Key key, Entry entry) {
        return OVERHEAD + 2L * key.text().length() + (long) Float.BYTES * entry.vector().length;
    }

    public synchronized long bytes() {
        return bytes;
    }

    public synchronized int size() {
        return entries.size();
    }

    public synchronized long hits() {
        return hits;
    }

    public synchronized long misses() {
        return misses;
    }
}
