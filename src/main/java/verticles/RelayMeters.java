package verticles;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import neuralcore.relay.RelayStatus;
import org.jspecify.annotations.Nullable;

/**
 * The relays' meters, each with its relay's name. They read what the relay last said of itself, so
 * that no message pays for them and any thread may scrape.
 */
final class RelayMeters {
    private static final Map<String, String> COUNTERS =
            Map.of(
                    "published", "messages that the broker has answered for",
                    "received", "messages from the broker that the bus has taken",
                    "duplicates", "of them, those it had before",
                    "lost", "messages of volatile channels that were never answered for",
                    "dropped", "messages from the broker that the bus had no room for",
                    "malformed", "messages from the broker that could not be read",
                    "invalid", "messages that are not as their schema says",
                    "loops", "messages that had been here before",
                    "errors", "errors of the broker, and lost connections");

    /** What a relay last said of itself. */
    private static final class Last {
        private volatile Map<String, @Nullable Object> described = Map.of();
        private final List<Meter> meters = new ArrayList<>();

        double of(String key) {
            return number(described.get(key));
        }

        double metric(String key) {
            return described.get("metrics") instanceof Map<?, ?> all ? number(all.get(key)) : 0;
        }

        double is(RelayStatus status) {
            return status.word().equals(described.get("status")) ? 1 : 0;
        }

        private static double number(@Nullable Object value) {
            return value instanceof Number number ? number.doubleValue() : 0;
        }
    }

    private final MeterRegistry registry;
    private final Map<String, Last> relays = new HashMap<>();

    RelayMeters(MeterRegistry registry) {
        this.registry = registry;
    }

    /** On the relays' own thread. */
    void sample(String relay, Map<String, @Nullable Object> described) {
        relays.computeIfAbsent(relay, this::open).described = described;
    }

    void remove(String relay) {
        Last gone = relays.remove(relay);
        if (gone != null) {
            gone.meters.forEach(registry::remove);
        }
    }

    private Last open(String relay) {
        Last last = new Last();
        Tags tags = Tags.of("relay", relay);
        COUNTERS.forEach(
                (name, description) ->
                        last.meters.add(
                                FunctionCounter.builder(
                                                "neuralcore.relay." + name,
                                                last,
                                                from -> from.metric(name))
                                        .description(description)
                                        .tags(tags)
                                        .register(registry)));
        last.meters.add(
                FunctionCounter.builder(
                                "neuralcore.relay.reconnects", last, from -> from.of("reconnects"))
                        .description("connections made after the first")
                        .tags(tags)
                        .register(registry));
        gauge(last, "backlog", "messages here, not answered", tags, from -> from.of("backlog"));
        gauge(
                last,
                "compression.ratio",
                "bytes before to bytes after",
                tags,
                from -> from.metric("compression_ratio"));
        gauge(
                last,
                "batch.messages",
                "mean of batches sent",
                tags,
                from -> from.metric("batch_size_mean"));
        for (String part : List.of("0.5", "0.99")) {
            String key = part.equals("0.5") ? "latency_us_p50" : "latency_us_p99";
            gauge(
                    last,
                    "latency.seconds",
                    "from sending to the broker's answer",
                    tags.and("quantile", part),
                    from -> from.metric(key) / 1e6);
        }
        for (RelayStatus status : RelayStatus.values()) {
            gauge(
                    last,
                    "status",
                    "1 for the one that it is in",
                    tags.and("status", status.word()),
                    from -> from.is(status));
        }
        return last;
    }

    private void gauge(
            Last last,
            String name,
            String description,
            Tags tags,
            java.util.function.ToDoubleFunction<Last> of) {
        last.meters.add(
                Gauge.builder("neuralcore.relay." + name, last, of)
                        .description(description)
                        .tags(tags)
                        .register(registry));
    }
}
