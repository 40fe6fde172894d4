package verticles;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import neuralcore.bus.ChannelStats;
import neuralcore.bus.Namespaces;

/**
 * The bus's meters. They read a snapshot that the bus's own thread leaves from time to time, so
 * that no message pays for them and any thread may scrape.
 */
final class BusMeters {
    private record Snapshot(ChannelStats totals, int namespaces, int channels) {}

    private final MeterRegistry registry;
    private final List<Meter> meters = new ArrayList<>();
    private volatile Snapshot last;

    BusMeters(MeterRegistry registry, Namespaces namespaces) {
        this.registry = registry;
        last = snapshot(namespaces);
        counter("published", "messages that arrived", ChannelStats::published);
        counter("delivered", "copies handed to a connection", ChannelStats::delivered);
        counter("returned", "deliveries that failed and are tried again", ChannelStats::returned);
        counter("acknowledged", "copies", ChannelStats::acknowledged);
        counter("dead", "copies given up after their last attempt", ChannelStats::dead);
        counter("duplicates", "messages that had arrived before", ChannelStats::duplicates);
        counter("limited", "messages refused for coming too fast", ChannelStats::limited);
        counter("dropped", "copies given up because a queue was full", ChannelStats::dropped);
        counter("expired", "copies whose time to live passed", ChannelStats::expired);
        counter("abandoned", "copies whose subscription ended", ChannelStats::abandoned);
        counter("unrouted", "messages that met no subscription", ChannelStats::unrouted);
        counter("pruned", "messages that have gone from journals", ChannelStats::pruned);
        counter(
                "pruned_unacknowledged",
                "how often one of them was not settled by a durable subscription",
                ChannelStats::prunedUnacknowledged);
        gauge("queued", "copies waiting", snapshot -> snapshot.totals().queued());
        gauge("in_flight", "not settled yet", snapshot -> snapshot.totals().inFlight());
        gauge("delayed", "their time has not come", snapshot -> snapshot.totals().delayed());
        gauge("subscriptions", "now", snapshot -> snapshot.totals().subscriptions());
        gauge("channels", "open now", Snapshot::channels);
        gauge("namespaces", "open now", Snapshot::namespaces);
    }

    /** To be called by the thread that owns the namespaces. */
    void sample(Namespaces namespaces) {
        last = snapshot(namespaces);
    }

    void close() {
        meters.forEach(registry::remove);
    }

    private static Snapshot snapshot(Namespaces namespaces) {
        return new Snapshot(namespaces.totals(), namespaces.size(), namespaces.channels());
    }

    private void counter(String name, String description, ToDoubleFunction<ChannelStats> of) {
        meters.add(
                FunctionCounter.builder(
                                "neuralcore.bus." + name,
                                this,
                                meters -> of.applyAsDouble(meters.last.totals()))
                        .description(description)
                        .register(registry));
    }

    private void gauge(String name, String description, ToDoubleFunction<Snapshot> of) {
        meters.add(
                Gauge.builder(
                                "neuralcore.bus." + name,
                                this,
                                meters -> of.applyAsDouble(meters.last))
                        .description(description)
                        .register(registry));
    }
}
