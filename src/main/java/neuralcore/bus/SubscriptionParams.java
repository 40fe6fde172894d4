package neuralcore.bus;

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
                Rates.of(params, null));
    }

    private static boolean acknowledged(Params params) {
        String ack = params.string("ack", "none");
        return switch (ack) {
            case "none" -> false;
            case "explicit" -> true;
            default ->
                    throw NeuralCoreException.invalid(
                            "'ack' is '%s'; it must be 'none' or 'explicit'.".formatted(ack));
        };
    }

    private static Backoff backoff(Params params) {
        java.util.Map<String, @Nullable Object> given = params.optionalObject("backoff");
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
