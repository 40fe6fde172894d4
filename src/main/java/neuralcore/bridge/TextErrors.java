package neuralcore.bridge;

import io.vertx.core.eventbus.ReplyException;
import java.util.Map;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/** Failures as JSON clients see them. */
final class TextErrors {

    private TextErrors() {}

    /** An {@code err} frame. */
    static Map<String, @Nullable Object> frame(NeuralCoreException exception) {
        Map<String, @Nullable Object> error = exception.toObject();
        error.put("type", "err");
        error.put("failureCode", exception.code().number());
        return error;
    }

    static NeuralCoreException asException(Throwable failure) {
        return switch (failure) {
            case NeuralCoreException exception -> exception;
            case ReplyException reply ->
                    new NeuralCoreException(
                            Services.codeOf(reply), String.valueOf(reply.getMessage()), reply);
            default -> new NeuralCoreException(ErrorCode.INTERNAL, failure.toString(), failure);
        };
    }

    static NeuralCoreException denied(String address, String verb) {
        return new NeuralCoreException(
                ErrorCode.ACCESS_DENIED,
                "access_denied: clients may not %s '%s'."
                        .formatted(verb, TextFields.shortened(address)));
    }
}
