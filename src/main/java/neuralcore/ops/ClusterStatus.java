package neuralcore.ops;

import io.vertx.core.Vertx;
import io.vertx.core.shareddata.Shareable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import neuralcore.cluster.Fleet;
import neuralcore.cluster.Passport;
import org.jspecify.annotations.Nullable;

/**
 * What this node knows of its cluster, for those who ask: who is in it, and, on a node with a door,
 * what each embedding node does. There is one a clustered Vert.x instance. Thread-safe.
 */
public final class ClusterStatus implements Shareable {
    private static final String MAP = "neuralcore.ops";
    private static final String NAME = "cluster";

    private final Passport self;
    private final Supplier<List<Passport>> members;
    private volatile List<Fleet.Seen> embedding = List.of();
    private volatile int waitingTexts;

    private ClusterStatus(Passport self, Supplier<List<Passport>> members) {
        this.self = self;
        this.members = members;
    }

    static void begin(Vertx vertx, Passport self, Supplier<List<Passport>> members) {
        vertx.sharedData()
                .<String, ClusterStatus>getLocalMap(MAP)
                .put(NAME, new ClusterStatus(self, members));
    }

    /** Null on a node that is in no cluster. */
    public static @Nullable ClusterStatus of(Vertx vertx) {
        return vertx.sharedData().<String, ClusterStatus>getLocalMap(MAP).get(NAME);
    }

    /** What the fleet looks like now. */
    public void update(List<Fleet.Seen> seen, int waiting) {
        embedding = seen;
        waitingTexts = waiting;
    }

    /** Nodes in the cluster, this one included. */
    public int nodes() {
        return 1 + members.get().size();
    }

    /** In numbers alone, for those who need not show a token. */
    public Map<String, Object> counted() {
        long refused = embedding.stream().filter(one -> !one.refused().isEmpty()).count();
        return Map.of(
                "nodes",
                nodes(),
                "embedding",
                embedding.size() - refused,
                "refused",
                refused,
                "waiting_texts",
                waitingTexts);
    }

    public Map<String, @Nullable Object> described() {
        List<Object> nodes = new ArrayList<>();
        nodes.add(self.toMap());
        members.get().forEach(member -> nodes.add(member.toMap()));
        List<Object> working = new ArrayList<>();
        for (Fleet.Seen one : embedding) {
            working.add(described(one));
        }
        Map<String, @Nullable Object> described = new LinkedHashMap<>();
        described.put("nodes", nodes);
        described.put("embedding", working);
        described.put("waiting_texts", (long) waitingTexts);
        return described;
    }

    /** One embedding node, as clients are told of it. */
    public static Map<String, @Nullable Object> described(Fleet.Seen seen) {
        Map<String, @Nullable Object> node = new LinkedHashMap<>(seen.announcement().toMap());
        node.put("refused", seen.refused());
        node.put("tokens_in_flight", seen.tokensInFlight());
        node.put("tokens_per_second", seen.tokensASecond());
        node.put("texts", seen.texts());
        return node;
    }

    /** As a table for a terminal. */
    public String table() {
        StringBuilder table = new StringBuilder();
        List<Passport> all = new ArrayList<>(members.get());
        all.addFirst(self);
        int widest = all.stream().mapToInt(node -> node.roles().length()).max().orElse(0);
        String line =
                "%%-8s  %%-21s  %%-%ds %%8s %%9s %%9s %%9s  %%s".formatted(Math.max(5, widest));
        table.append(
                line(
                        line,
                        "node",
                        "address",
                        "roles",
                        "capacity",
                        "tokens/s",
                        "in flight",
                        "texts",
                        "embeds as"));
        for (Passport node : all) {
            Fleet.Seen seen =
                    embedding.stream()
                            .filter(one -> one.announcement().member().equals(node.node()))
                            .findFirst()
                            .orElse(null);
            table.append(
                    line(
                            line,
                            shortened(node.node()),
                            node.at(),
                            node.roles(),
                            seen == null ? "" : String.valueOf(seen.announcement().capacity()),
                            seen == null
                                    ? ""
                                    : String.format(Locale.ROOT, "%.0f", seen.tokensASecond()),
                            seen == null ? "" : String.valueOf(seen.tokensInFlight()),
                            seen == null ? "" : String.valueOf(seen.texts()),
                            seen == null ? "" : shortened(seen.announcement().node())));
            if (seen != null && !seen.refused().isEmpty()) {
                table.append("  refused: ").append(seen.refused()).append('\n');
            }
        }
        return table.toString();
    }

    private static String shortened(String id) {
        return id.substring(0, Math.min(8, id.length()));
    }

    private static String line(String format, Object... cells) {
        return format.formatted(cells).stripTrailing() + '\n';
    }
}
