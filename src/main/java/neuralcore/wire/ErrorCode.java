package neuralcore.wire;

/**
 * Every error a caller can see, by a stable name and number.
 *
 * <p>The Python client mirrors this list in {@code errors.py}; both test suites compare theirs to
 * {@code golden/error-codes.json}. A number is never reused. It travels as {@code failureCode} in
 * JSON frames, and the name as {@code code} in binary error frames.
 */
public enum ErrorCode {
    INVALID_REQUEST(1),
    NOT_FOUND(2),
    UNKNOWN_ADDRESS(3),
    ACCESS_DENIED(4),
    UNAUTHENTICATED(5),
    FRAME_TOO_LARGE(6),
    MALFORMED_FRAME(7),
    UNKNOWN_FRAME_TYPE(8),
    LIMIT_EXCEEDED(9),
    SLOW_CONSUMER(10),
    TIMEOUT(11),
    UNAVAILABLE(12),
    QUEUE_FULL(13),
    EXPIRED(14),
    DIMENSION_MISMATCH(15),
    NOT_FINITE(16),
    MODEL_NOT_FOUND(17),
    MODEL_NOT_READY(18),
    VERSION_MISMATCH(19),
    ALREADY_EXISTS(20),
    CONFIG_INVALID(21),
    DATA_FOLDER_LOCKED(22),
    PORT_IN_USE(23),
    INTERNAL(24),
    SHUTTING_DOWN(25),
    DAEMON_START_FAILED(26),
    CONNECTION_LOST(27),
    NOT_SUPPORTED(28),
    STORAGE_FULL(29),
    STORAGE_FAILED(30),
    DATA_DAMAGED(31),
    DUPLICATE(32),
    RATE_LIMITED(33),
    NO_RELAY(34),
    RELAY_FAILED(35),
    RELAY_PENDING(36),
    RELAY_TIMEOUT(37),
    SCHEMA_INVALID(38),
    SCHEMA_INCOMPATIBLE(39);

    private final int number;

    ErrorCode(int number) {
        this.number = number;
    }

    public int number() {
        return number;
    }

    /** The code with this number, or {@link #INTERNAL} for one that this version does not know. */
    public static ErrorCode ofNumber(int number) {
        for (ErrorCode code : values()) {
            if (code.number == number) {
                return code;
            }
        }
        return INTERNAL;
    }
}
