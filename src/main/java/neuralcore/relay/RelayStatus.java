package neuralcore.relay;

import java.util.Locale;

/** How a relay stands with its broker. */
public enum RelayStatus {
    /** Switched off, or not begun. */
    DISCONNECTED,
    /** On its way to the first connection. */
    CONNECTING,
    CONNECTED,
    /** There was a connection; another is tried for. */
    RECONNECTING,
    /** Given up after the attempts that the configuration allows; switching it on tries anew. */
    FAILED;

    /** As users read it. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
