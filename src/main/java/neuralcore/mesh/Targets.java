package neuralcore.mesh;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where nodes are, or may be: those of the configuration for ever, those that others told of for a
 * while after they were last told of. For one thread.
 */
final class Targets {
    /** Longer than a split that nobody looks after. */
    static final long FORGET_MILLIS = 30 * 60_000;

    private static final int MOST_LEARNED = 4_096;

    private static final class Target {
        private final boolean configured;
        private long toldMillis;
        private boolean dialling;
        private boolean self;
        private @Nullable String lastFailure;

        Target(boolean configured) {
            this.configured = configured;
        }
    }

    private final Map<String, Target> all = new LinkedHashMap<>();

    Targets(List<String> configured) {
        configured.forEach(at -> all.put(at, new Target(true)));
    }

    /** Somebody has told of a node. */
    void told(String at, long nowMillis) {
        Target known = all.get(at);
        if (known == null) {
            if (all.size() >= MOST_LEARNED) {
                return;
            }
            known = new Target(false);
            all.put(at, known);
        }
        known.toldMillis = nowMillis;
    }

    /** A node has said that it goes; it is not to be looked for. */
    void gone(String at) {
        Target known = all.get(at);
        if (known != null && !known.configured) {
            all.remove(at);
        }
    }

    /** Whom to dial now; whoever is told so is being dialled until {@link #ended}. */
    List<String> due(long nowMillis, Set<String> connected) {
        all.values()
                .removeIf(
                        target ->
                                !target.configured
                                        && !target.dialling
                                        && nowMillis - target.toldMillis > FORGET_MILLIS);
        List<String> due = new ArrayList<>();
        all.forEach(
                (at, target) -> {
                    if (!target.dialling && !target.self && !connected.contains(at)) {
                        target.dialling = true;
                        due.add(at);
                    }
                });
        return due;
    }

    /**
     * Dialling has come to its end.
     *
     * @param failure why; empty if it went well
     * @return whether this is news
     */
    boolean ended(String at, String failure) {
        Target target = all.get(at);
        if (target == null) {
            return false;
        }
        target.dialling = false;
        boolean news = !failure.isEmpty() && !failure.equals(target.lastFailure);
        target.lastFailure = failure;
        return news;
    }

    /** It is this node's own address. */
    void isSelf(String at) {
        Target target = all.get(at);
        if (target != null) {
            target.self = true;
        }
    }
}
