package neuralcore.ops;

import java.net.BindException;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/** Finds, in what a verticle failed with, the reason to tell. */
final class StartFailure {
    private StartFailure() {}

    static NeuralCoreException explain(Throwable failure) {
        for (@Nullable Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof NeuralCoreException told) {
                return told;
            }
            if (cause instanceof BindException) {
                return new NeuralCoreException(
                        ErrorCode.PORT_IN_USE,
                        "A port is in use: %s. Choose another with --port, --http-port or, in a cluster, cluster.event_port (0 picks a free one)."
                                .formatted(cause.getMessage()),
                        failure);
            }
        }
        return new NeuralCoreException(
                ErrorCode.UNAVAILABLE, "A part did not start: " + failure, failure);
    }
}
