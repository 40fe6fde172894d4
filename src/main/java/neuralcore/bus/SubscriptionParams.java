package neuralcore.bus;

import java.util.Map;
import neuralcore.journal.StartAt;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/** What a {@code neuralcore.messaging.subscribe} call asks for, as {@link Terms}. */
final class SubscriptionParams {
    private SubscriptionParams() {}

    static Terms terms(Params params) {
        String filter = params.string("filter", "");
        return new Terms(
                acknowledged(params),
                params.optionalString("group"),
                params.string("name", ""),
                params.integer("max_attempts", 0, 0, Integer.MAX_VALUE),
                backoff(params),
                Seconds.millis(params, "lease", Terms.STANDARD_LEASE_MILLIS),
                filter.isEmpty() ? null : Filter.parse(filter),
                Rates.of(params, null),
                params.bool("durable", false),
                params.bool("exclusive", false),
                start(params));
    }

    private static StartAt start(Params params) {
        Map<String, @Nullable Object> given = params.optionalObject("start");
        if (given == null) {
            return new StartAt.New();
        }
        Params start = new Params(given);
        String at = start.string("at", "");
        if (at.equals("first")) {
            return new StartAt.First();
        }
        if (given.get("last") != null || at.equals("last")) {
            return new StartAt.Last(start.integer("last", 1, 0, Integer.MAX_VALUE));
        }
        if (given.get("sequence") != null) {
            return new StartAt.AfterSequence(start.integer("sequence"));
        }
        if (given.get("time") != null) {
            return new StartAt.Since((long) Math.floor(start.number("time", 0) * 1000));
        }
        if (at.isEmpty() || at.equals("new")) {
            return new StartAt.New();
        }
        throw NeuralCoreException.invalid(
                "'start' has 'at' '%s'; it must be 'new', 'first' or 'last', or have 'last', 'sequence' or 'time'."
                        .formatted(at));
    }

    private static boolean acknowledged(Params params) {
        boolean durable = params.bool("durable", false);
        String ack = params.string("ack", durable ? "explicit" : "none");
        return switch (ack) {
            case "none" -> false;
            case "explicit" -> true;
            default ->
                    throw NeuralCoreException.invalid(
                            "'ack' is '%s'; it must be 'none' or 'explicit'.".formatted(ack));
        };
    }

    private static Backoff backoff(Params params) {
        Map<String, @Nullable Object> given = params.optionalObject("backoff");
        if (given == null) {
            return Backoff.STANDARD;
        }
        Params backoff = new Params(given);
        Backoff standard = Backoff.STANDARD;
        long initial = Seconds.millis(backoff, "initial", standard.initialMillis());
        return new Backoff(
                initial,
                Seconds.millis(backoff, "max", Math.max(initial, standard.maxMillis())),
                backoff.number("multiplier", standard.multiplier()),
                backoff.number("jitter", standard.jitter()));
    }
}
