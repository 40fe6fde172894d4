package neuralcore.bus;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The windows of the publishers last heard of. */
final class Publishers {
    private static final int MOST = 10_000;

    private final Map<Long, PublisherWindow> windows =
            new LinkedHashMap<>(16, 0.75f, true) {
                private static final long serialVersionUID = 1L;

                @Override
                protected boolean removeEldestEntry(Map.Entry<Long, PublisherWindow> eldest) {
                    return size() > MOST;
                }
            };

    private long lastPublisher;
    private @Nullable PublisherWindow last;

    /** A batch has one publisher, so all but the first look-up find the last one. */
    PublisherWindow window(long publisher) {
        PublisherWindow known = last;
        if (known == null || publisher != lastPublisher) {
            known = windows.computeIfAbsent(publisher, unused -> new PublisherWindow());
            last = known;
            lastPublisher = publisher;
        }
        return known;
    }
}
