package neuralcore.wire;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A failure that the caller is told of: a stable code, and a message that says what happened, with
 * the values, and what to do.
 */
public final class NeuralCoreException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;
    private final @Nullable Double retryAfterSeconds;

    public NeuralCoreException(ErrorCode code, String message) {
        this(code, message, (Double) null);
    }

    public NeuralCoreException(ErrorCode code, String message, Throwable cause) {
        this(code, message);
        initCause(cause);
    }

    /**
     * A failure that passes.
     *
     * @param retryAfterSeconds when another try may succeed, or null if that is not known
     */
    public NeuralCoreException(ErrorCode code, String message, @Nullable Double retryAfterSeconds) {
        super(message);
        this.code = code;
        this.retryAfterSeconds = retryAfterSeconds;
    }

    public static NeuralCoreException invalid(String message) {
        return new NeuralCoreException(ErrorCode.INVALID_REQUEST, message);
    }

    public ErrorCode code() {
        return code;
    }

    public @Nullable Double retryAfterSeconds() {
        return retryAfterSeconds;
    }

    /** What an error frame says: {@code code}, {@code message}, perhaps {@code retry_after}. */
    public Map<String, @Nullable Object> toObject() {
        Map<String, @Nullable Object> error = new LinkedHashMap<>();
        error.put("code", code.name());
        error.put("message", getMessage());
        if (retryAfterSeconds != null) {
            error.put("retry_after", retryAfterSeconds);
        }
        return error;
    }
}
