package verticles;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import neuralcore.embedding.Batch;
import neuralcore.embedding.VectorCache;

/** What the embedding part tells of itself. */
final class EmbeddingMeters {
    private static final String PREFIX = "neuralcore.embedding.";

    private final AtomicInteger waiting = new AtomicInteger();
    private final Counter texts;
    private final Counter tokens;
    private final Counter padding;
    private final Counter failures;
    private final DistributionSummary batchTexts;
    private final Timer batchTime;
    private final Timer requestTime;

    EmbeddingMeters(MeterRegistry registry, String model, VectorCache cache) {
        texts = counter(registry, model, "texts", "Texts embedded");
        tokens = counter(registry, model, "tokens", "Tokens of the texts embedded");
        padding = counter(registry, model, "padding", "Tokens computed for padding alone");
        failures = counter(registry, model, "failures", "Requests that failed");
        batchTexts =
                DistributionSummary.builder(PREFIX + "batch.texts")
                        .description("Texts of a batch")
                        .tag("model", model)
                        .register(registry);
        batchTime =
                Timer.builder(PREFIX + "batch")
                        .description("Time a batch takes, its way to the worker included")
                        .tag("model", model)
                        .register(registry);
        requestTime =
                Timer.builder(PREFIX + "request")
                        .description("Time a request takes, waiting included")
                        .tag("model", model)
                        .publishPercentiles(0.5, 0.99)
                        .register(registry);
        FunctionCounter.builder(PREFIX + "cache.hits", cache, VectorCache::hits)
                .description("Texts whose vector was kept from before")
                .tag("model", model)
                .register(registry);
        FunctionCounter.builder(PREFIX + "cache.misses", cache, VectorCache::misses)
                .description("Texts that were looked for among those kept, in vain")
                .tag("model", model)
                .register(registry);
        Gauge.builder(PREFIX + "cache.texts", cache, VectorCache::size)
                .description("Texts whose vectors are kept")
                .tag("model", model)
                .register(registry);
        Gauge.builder(PREFIX + "cache.bytes", cache, VectorCache::bytes)
                .description("Memory of the vectors kept")
                .baseUnit("bytes")
                .tag("model", model)
                .register(registry);
        Gauge.builder(PREFIX + "waiting", waiting, AtomicInteger::get)
                .description("Texts that wait for a batch")
                .tag("model", model)
                .register(registry);
    }

    private static Counter counter(
            MeterRegistry registry, String model, String name, String description) {
        return Counter.builder(PREFIX + name)
                .description(description)
                .tag("model", model)
                .register(registry);
    }

    void waiting(int count) {
        waiting.set(count);
    }

    void ran(Batch batch, Duration took) {
        batchTexts.record(batch.tokens().texts());
        padding.increment(batch.cost() - batch.tokens().ids().length);
        batchTime.record(took);
    }

    void answered(int count, long tokenCount, Duration took) {
        texts.increment(count);
        tokens.increment(tokenCount);
        requestTime.record(took);
    }

    void failed() {
        failures.increment();
    }
}
