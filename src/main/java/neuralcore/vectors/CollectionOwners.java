package neuralcore.vectors;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * Which collections belong to a process of this machine, so that what a killed one leaves can be
 * freed. A process that cannot be seen from here owns nothing, and its collections stay: better too
 * many than one too few.
 *
 * <p>A process is known by its number and, as numbers are used again, by when it began.
 * Thread-safe.
 */
final class CollectionOwners {
    /** Where Linux tells whose numbers are meant: a container has its own. */
    private static final Path NAMESPACE = Path.of("/proc/self/ns/pid");

    private final Map<String, ProcessHandle> byCollection = new ConcurrentHashMap<>();
    private final String namespace = namespace();

    private static String namespace() {
        try {
            return Files.readSymbolicLink(NAMESPACE).toString();
        } catch (IOException | UnsupportedOperationException notLinux) {
            return "";
        }
    }

    /**
     * Notes whose a collection is.
     *
     * @param owner {@code pid} and {@code pid_namespace}, as the process sees them itself; null if
     *     the collection belongs to nobody
     */
    void note(String collection, @Nullable Map<String, @Nullable Object> owner) {
        if (owner == null) {
            return;
        }
        Params params = new Params(owner);
        if (!params.string("pid_namespace", "").equals(namespace)) {
            return;
        }
        Optional<ProcessHandle> process = ProcessHandle.of(params.integer("pid"));
        process.ifPresent(found -> byCollection.put(collection, found));
    }

    void forget(String collection) {
        byCollection.remove(collection);
    }

    /** The collections whose processes have ended. */
    List<String> orphans() {
        List<String> orphans = new ArrayList<>();
        byCollection.forEach(
                (collection, process) -> {
                    if (!process.isAlive()) {
                        orphans.add(collection);
                    }
                });
        return orphans;
    }
}
