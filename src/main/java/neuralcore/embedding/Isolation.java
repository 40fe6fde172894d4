package neuralcore.embedding;

import java.util.Locale;

/** Where models run. A network or a tokenizer is native code's input, and can end its process. */
public enum Isolation {
    /**
     * The program's own models in this process; others too, once a process of their own survived.
     */
    AUTO,
    /** All in this process, unchecked. */
    INPROCESS,
    /** Each in a process of its own, which is started anew when it ends. */
    PROCESS;

    /** The choice of this name, as it stands in settings. */
    public static Isolation of(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }
}
