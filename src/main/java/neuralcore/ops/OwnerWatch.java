package neuralcore.ops;

import java.io.IOException;
import java.io.InputStream;
import java.util.function.Consumer;

/**
 * Notices that the process that owns this one has ended, killed or not: the system closes its end
 * of our standard input.
 */
final class OwnerWatch {
    private OwnerWatch() {}

    static void start(InputStream input, Consumer<String> onEnd) {
        Thread.ofPlatform()
                .name("neuralcore-owner-watch")
                .daemon()
                .start(
                        () -> {
                            drain(input);
                            onEnd.accept("the owner closed standard input");
                        });
    }

    private static void drain(InputStream input) {
        byte[] ignored = new byte[256];
        try {
            while (input.read(ignored) >= 0) {
                // What the owner writes has no meaning.
            }
        } catch (IOException e) {
            // A broken pipe is an end, too.
        }
    }
}
