package neuralcore.eventbus;

import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.eventbus.ReplyFailure;
import neuralcore.wire.NeuralCoreException;

/** A failed call on its way back: a plain reply failure has a number and a text, and no more. */
final class ServiceFailure extends ReplyException {
    private static final long serialVersionUID = 1L;

    private final transient NeuralCoreException exception;

    ServiceFailure(NeuralCoreException exception) {
        super(
                ReplyFailure.RECIPIENT_FAILURE,
                exception.code().number(),
                String.valueOf(exception.getMessage()));
        this.exception = exception;
    }

    NeuralCoreException exception() {
        return exception;
    }
}
