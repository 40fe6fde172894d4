package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import neuralcore.bus.RecordedEffects.Delivered;

/** How much is under way to each connection of a simulation: never more than its window takes. */
final class ModelWindows {
    private static final class Window {
        final long size;
        long underWay;

        Window(long size) {
            this.size = size;
        }
    }

    private final Random random;
    private final boolean bounded;
    private final Map<String, Window> windows = new HashMap<>();

    ModelWindows(Random random, boolean bounded) {
        this.random = random;
        this.bounded = bounded;
    }

    /** The size of a connection's window, drawn when it is first asked for. */
    long size(String connection) {
        return window(connection).size;
    }

    private Window window(String connection) {
        return windows.computeIfAbsent(
                connection,
                unused ->
                        new Window(
                                bounded && random.nextInt(4) > 0
                                        ? 1 + random.nextInt(2_000)
                                        : BusEvent.Subscribe.UNBOUNDED));
    }

    boolean isSpent(String connection) {
        Window window = window(connection);
        return window.underWay >= window.size;
    }

    /** Whether something is under way to a connection. */
    boolean isUsed(String connection) {
        return window(connection).underWay > 0;
    }

    /**
     * Follows a step. What is under way without a bound is not counted. Groups are asked first, so
     * the one message too many need not be the last.
     */
    void delivered(RecordedEffects effects) {
        Map<String, Long> largest = new HashMap<>();
        for (Delivered delivered : effects.delivered) {
            long bytes = delivered.delivery().bytes();
            Window window = window(delivered.connection());
            if (window.size == BusEvent.Subscribe.UNBOUNDED) {
                continue;
            }
            window.underWay += bytes;
            largest.merge(delivered.connection(), bytes, Math::max);
        }
        largest.forEach(
                (connection, bytes) ->
                        assertThat(window(connection).underWay - bytes)
                                .as("under way to %s, but for one message", connection)
                                .isLessThan(size(connection)));
    }

    /** Some of what is under way to a connection is flushed; returns how many bytes. */
    int flushSome(String connection) {
        Window window = window(connection);
        int bytes = window.underWay == 0 ? 0 : 1 + random.nextInt((int) window.underWay);
        window.underWay -= bytes;
        return bytes;
    }

    /** All of it is; returns how many bytes. */
    int flushAll(String connection) {
        Window window = window(connection);
        int bytes = (int) window.underWay;
        window.underWay = 0;
        return bytes;
    }
}
