package neuralcore.vectors.filter;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.RoaringBitmap;

/**
 * Which slots have which metadata. Counting a filter's rows costs about as much as a pass over the
 * bitmaps of the values it names, whatever the rows are.
 *
 * <p>Not thread-safe for writers; whoever owns it keeps writers and readers apart.
 */
public final class MetadataIndex {
    private static final RoaringBitmap NONE = new RoaringBitmap();

    private final Map<String, Postings> paths = new HashMap<>();

    public void add(int slot, Map<String, @Nullable Object> metadata) {
        change(slot, null, metadata, true);
    }

    /** Takes away what {@link #add} was given. */
    public void remove(int slot, Map<String, @Nullable Object> metadata) {
        change(slot, null, metadata, false);
    }

    private void change(int slot, @Nullable String path, @Nullable Object value, boolean added) {
        if (value instanceof Map<?, ?> object) {
            for (Map.Entry<?, ?> entry : object.entrySet()) {
                String inner = Filter.path(path, String.valueOf(entry.getKey()));
                at(slot, inner, entry.getValue(), added);
                change(slot, inner, entry.getValue(), added);
            }
        } else if (path != null && value instanceof List<?> list) {
            for (Object item : list) {
                if (!(item instanceof Map)) {
                    at(slot, path, item, added);
                }
                change(slot, path, item, added);
            }
        }
    }

    private void at(int slot, String path, @Nullable Object value, boolean added) {
        Postings postings = paths.get(path);
        if (added) {
            if (postings == null) {
                postings = new Postings();
                paths.put(path, postings);
            }
            postings.addPresent(slot);
            if (!(value instanceof Map)) {
                postings.add(Value.of(value), slot);
            }
        } else if (postings != null) {
            if (!(value instanceof Map)) {
                postings.remove(Value.of(value), slot);
            }
            if (postings.removePresent(slot)) {
                paths.remove(path);
            }
        }
    }

    /**
     * The slots whose metadata fulfils the filter; the caller's to change.
     *
     * @param all every slot in use, also those without metadata
     */
    public RoaringBitmap find(Filter filter, RoaringBitmap all) {
        return switch (filter) {
            case Filter.In in -> {
                RoaringBitmap found = new RoaringBitmap();
                Postings postings = paths.get(in.path());
                if (postings != null) {
                    in.values().forEach(value -> postings.collect(value, found));
                }
                yield found;
            }
            case Filter.Between range -> {
                RoaringBitmap found = new RoaringBitmap();
                Postings postings = paths.get(range.path());
                if (postings != null) {
                    postings.collect(range, found);
                }
                yield found;
            }
            case Filter.Exists exists -> {
                Postings postings = paths.get(exists.path());
                yield (postings == null ? NONE : postings.present()).clone();
            }
            case Filter.And and -> {
                RoaringBitmap found = all.clone();
                for (Filter part : and.parts()) {
                    found.and(find(part, all));
                }
                yield found;
            }
            case Filter.Or or -> {
                RoaringBitmap found = new RoaringBitmap();
                for (Filter part : or.parts()) {
                    found.or(find(part, all));
                }
                yield found;
            }
            case Filter.Not not -> RoaringBitmap.andNot(all, find(not.part(), all));
        };
    }
}
