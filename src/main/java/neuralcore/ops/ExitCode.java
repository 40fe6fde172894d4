package neuralcore.ops;

import neuralcore.wire.ErrorCode;

/** How the process ends; numbers from sysexits.h. {@code docs/operations.md} lists them. */
public enum ExitCode {
    OK(0),
    /** The command line makes no sense. */
    USAGE(64),
    /** A file in the data folder is damaged. */
    DATA_DAMAGED(65),
    /** A part of the daemon did not start. */
    UNAVAILABLE(69),
    /** A defect. */
    SOFTWARE(70),
    /** The data folder cannot be used: not writable, not private, or another daemon has it. */
    DATA_FOLDER(73),
    /** The disk is full, or failed to write. */
    IO_ERROR(74),
    /** A port is taken by somebody else; it may be free later. */
    PORT_IN_USE(75),
    /** The configuration has keys or values that cannot be. */
    CONFIG(78);

    private final int number;

    ExitCode(int number) {
        this.number = number;
    }

    public int number() {
        return number;
    }

    /** How a start ends that failed for this reason. */
    public static ExitCode of(ErrorCode code) {
        return switch (code) {
            case CONFIG_INVALID -> CONFIG;
            case DATA_FOLDER_LOCKED -> DATA_FOLDER;
            case PORT_IN_USE -> PORT_IN_USE;
            case INVALID_REQUEST -> USAGE;
            case INTERNAL, MALFORMED_FRAME, UNKNOWN_FRAME_TYPE -> SOFTWARE;
            case NOT_FOUND,
                    UNKNOWN_ADDRESS,
                    ACCESS_DENIED,
                    UNAUTHENTICATED,
                    FRAME_TOO_LARGE,
                    LIMIT_EXCEEDED,
                    SLOW_CONSUMER,
                    TIMEOUT,
                    UNAVAILABLE,
                    QUEUE_FULL,
                    EXPIRED,
                    DIMENSION_MISMATCH,
                    NOT_FINITE,
                    MODEL_NOT_FOUND,
                    MODEL_NOT_READY,
                    VERSION_MISMATCH,
                    ALREADY_EXISTS,
                    SHUTTING_DOWN,
                    DAEMON_START_FAILED,
                    CONNECTION_LOST,
                    NOT_SUPPORTED,
                    DUPLICATE,
                    RATE_LIMITED,
                    NO_RELAY,
                    RELAY_FAILED,
                    RELAY_PENDING,
                    RELAY_TIMEOUT,
                    SCHEMA_INVALID,
                    SCHEMA_INCOMPATIBLE ->
                    UNAVAILABLE;
            case STORAGE_FULL, STORAGE_FAILED -> IO_ERROR;
            case DATA_DAMAGED -> DATA_DAMAGED;
        };
    }
}
