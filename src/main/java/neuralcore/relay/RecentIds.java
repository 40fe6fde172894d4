package neuralcore.relay;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The ids of the messages taken last, so that what a relay elsewhere sent twice is taken once. In
 * memory, bounded, and forgotten with the process. Not thread-safe.
 */
public final class RecentIds {
    private final Map<String, Boolean> ids;

    public RecentIds(int most) {
        ids =
                new LinkedHashMap<>() {
                    private static final long serialVersionUID = 1L;

                    @Override
                    protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
                        return size() > most;
                    }
                };
    }

    public boolean contains(String id) {
        return ids.containsKey(id);
    }

    public void add(String id) {
        if (!id.isEmpty()) {
            ids.put(id, true);
        }
    }
}
