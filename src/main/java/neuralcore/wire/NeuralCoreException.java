package neuralcore.wire;

/**
 * A failure that the caller is told of: a stable code, and a message that says what happened, with
 * the values, and what to do.
 */
public final class NeuralCoreException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;

    public NeuralCoreException(ErrorCode code, String message) {
        super(message);
        this.code = code;
    }

    public NeuralCoreException(ErrorCode code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    public static NeuralCoreException invalid(String message) {
        return new NeuralCoreException(ErrorCode.INVALID_REQUEST, message);
    }

    public ErrorCode code() {
        return code;
    }
}
