package neuralcore.bus;

import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/** A {@link Rate} in requests: {@code rate_per_second}, 0 for none, and {@code burst}. */
final class Rates {
    private Rates() {}

    static @Nullable Rate of(Params params, @Nullable Rate otherwise) {
        double perSecond =
                params.number("rate_per_second", otherwise == null ? 0 : otherwise.perSecond());
        if (perSecond == 0) {
            return null;
        }
        int standard = otherwise == null ? 1 : otherwise.burst();
        int burst = params.integer("burst", standard, 0, Integer.MAX_VALUE);
        return new Rate(perSecond, Math.max(1, burst));
    }
}
