package verticles;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import neuralcore.cluster.Fleet;

/**
 * What a door's view of the embedding nodes looks like in {@code /metrics}. Whoever asks for
 * metrics sees the state of the last {@link #update}, on any thread; the rest is for one thread.
 */
final class ClusterMeters {
    private static final String NODE = "neuralcore.cluster.node.";

    private final MeterRegistry registry;
    private final Counter resent;
    private final Map<String, List<Gauge>> ofNodes = new HashMap<>();
    private volatile List<Fleet.Seen> seen = List.of();
    private volatile int waiting;

    ClusterMeters(MeterRegistry registry) {
        this.registry = registry;
        this.resent =
                Counter.builder("neuralcore.cluster.parts.resent")
                        .description("Parts of requests whose node was lost")
                        .register(registry);
        Gauge.builder("neuralcore.cluster.nodes", this, meters -> meters.usable())
                .description("Nodes that embed for this one")
                .register(registry);
        Gauge.builder("neuralcore.cluster.capacity", this, meters -> meters.capacity())
                .description("Tokens that these nodes compute side by side")
                .register(registry);
        Gauge.builder("neuralcore.cluster.waiting.texts", this, meters -> meters.waiting)
                .description("Texts that no node has yet")
                .register(registry);
    }

    void update(Fleet fleet) {
        seen = fleet.seen();
        waiting = fleet.waitingTexts();
    }

    void accepted(String node) {
        ofNodes.computeIfAbsent(
                node,
                name ->
                        List.of(
                                gauge("tokens.per.second", name, Fleet.Seen::tokensASecond),
                                gauge("tokens.in.flight", name, Fleet.Seen::tokensInFlight),
                                gauge("texts", name, Fleet.Seen::texts)));
    }

    void lost(String node, int parts) {
        resent.increment(parts);
        List<Gauge> gauges = ofNodes.remove(node);
        if (gauges != null) {
            gauges.forEach(registry::remove);
        }
    }

    private Gauge gauge(String name, String node, ToDoubleFunction<Fleet.Seen> value) {
        return Gauge.builder(NODE + name, this, meters -> meters.of(node, value))
                .tag("node", node)
                .register(registry);
    }

    private double of(String node, ToDoubleFunction<Fleet.Seen> value) {
        return seen.stream()
                .filter(one -> one.announcement().node().equals(node))
                .mapToDouble(value)
                .sum();
    }

    private double capacity() {
        return seen.stream()
                .filter(one -> one.refused().isEmpty())
                .mapToInt(one -> one.announcement().capacity())
                .sum();
    }

    private double usable() {
        return seen.stream().filter(one -> one.refused().isEmpty()).count();
    }
}
