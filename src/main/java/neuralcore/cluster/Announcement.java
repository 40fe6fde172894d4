package neuralcore.cluster;

import java.util.LinkedHashMap;
import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * What a node that embeds tells the others each second.
 *
 * @param node its name, another one after each start
 * @param member what the cluster's membership calls it, to know it by when it is gone
 * @param since when it started, in milliseconds since 1970; the oldest decides which model counts
 * @param version of the program
 * @param model name of the model it has loaded
 * @param digest of everything that makes its vectors what they are
 * @param precision of the model's weights
 * @param capacity tokens that it computes side by side
 * @param waiting texts that wait there, whoever sent them
 * @param idle whether it has nothing to do, and nothing that it was sent
 * @param leaving whether it takes no more
 */
public record Announcement(
        String node,
        String member,
        long since,
        String version,
        String model,
        String digest,
        String precision,
        int capacity,
        int waiting,
        boolean idle,
        boolean leaving) {

    public Announcement {
        if (node.isEmpty() || capacity < 1) {
            throw NeuralCoreException.invalid(
                    "An announcement of '%s' with a capacity of %d tokens is none."
                            .formatted(node, capacity));
        }
    }

    public Map<String, @Nullable Object> toMap() {
        Map<String, @Nullable Object> keys = new LinkedHashMap<>();
        keys.put("node", node);
        keys.put("member", member);
        keys.put("since", since);
        keys.put("version", version);
        keys.put("model", model);
        keys.put("digest", digest);
        keys.put("precision", precision);
        keys.put("capacity", (long) capacity);
        keys.put("waiting", (long) waiting);
        keys.put("idle", idle);
        keys.put("leaving", leaving);
        return keys;
    }

    public static Announcement of(Map<String, @Nullable Object> keys) {
        Params params = new Params(keys);
        return new Announcement(
                params.string("node"),
                params.string("member"),
                params.integer("since"),
                params.string("version"),
                params.string("model"),
                params.string("digest"),
                params.string("precision"),
                (int) params.integer("capacity", 1, 1, Integer.MAX_VALUE),
                (int) params.integer("waiting", 0, 0, Integer.MAX_VALUE),
                params.bool("idle", false),
                params.bool("leaving", false));
    }

    /** Why vectors of this node are not to be mixed with the other's; empty if they may be. */
    String conflictWith(Announcement reference) {
        if (!version.equals(reference.version)) {
            return "it runs version %s, node %s version %s"
                    .formatted(version, reference.node, reference.version);
        }
        if (!model.equals(reference.model)) {
            return "its model is %s, that of node %s %s"
                    .formatted(model, reference.node, reference.model);
        }
        if (!precision.equals(reference.precision)) {
            return "it computes in %s, node %s in %s"
                    .formatted(precision, reference.node, reference.precision);
        }
        if (!digest.equals(reference.digest)) {
            return "its files of %s are others (%.12s) than those of node %s (%.12s)"
                    .formatted(model, digest, reference.node, reference.digest);
        }
        return "";
    }
}
