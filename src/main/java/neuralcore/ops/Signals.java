package neuralcore.ops;

import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.LoggerFactory;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * SIGTERM and SIGINT: the first asks for a stop, the second ends the process at once.
 *
 * <p>The JVM's own handling (shutdown hooks) would end with code 143 after a clean stop, and would
 * not notice a second signal; hence the one class of the JDK that can do better.
 */
final class Signals {
    private Signals() {}

    /**
     * Handles them from now on.
     *
     * @param onFirst gets the signal's name
     */
    static void handle(Consumer<String> onFirst) {
        AtomicBoolean stopping = new AtomicBoolean();
        for (String name : List.of("TERM", "INT")) {
            try {
                handle(new Signal(name), stopping, onFirst);
            } catch (IllegalArgumentException e) {
                // The log is not up yet when this class is loaded.
                LoggerFactory.getLogger(Signals.class)
                        .debug("SIG{} stays with the JVM: {}", name, e.toString());
            }
        }
    }

    private static void handle(Signal signal, AtomicBoolean stopping, Consumer<String> onFirst) {
        SignalHandler before =
                Signal.handle(
                        signal,
                        received -> {
                            if (stopping.compareAndSet(false, true)) {
                                onFirst.accept("SIG" + received.getName());
                            } else {
                                Runtime.getRuntime().halt(128 + received.getNumber());
                            }
                        });
        // A shell that starts us in the background has the terminal's Ctrl-C ignored: so do we.
        if (before == SignalHandler.SIG_IGN) {
            Signal.handle(signal, SignalHandler.SIG_IGN);
        }
    }
}
