package neuralcore.journal;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Checks all messages that were there at the start, in the background: as long as it has worked it
 * rests, so that it takes half a core at most. Each piece is one short read transaction, so that
 * the log can be reused.
 */
final class Verification implements Runnable {
    private static final int ROWS = 5_000;

    /** A channel at the start: what was pruned, and its newest message. */
    record Extent(ChannelState.Mark pruned, long lastNumber) {}

    private final Path database;
    private final long upTo;
    private final Map<Long, Extent> channels;
    private final LongUnaryOperator prunedUpTo;
    private final Consumer<String> onDamage;
    private volatile boolean stopped;
    private volatile boolean done;

    /**
     * @param upTo sequence number of the newest message
     */
    Verification(
            Path database,
            long upTo,
            Map<Long, Extent> channels,
            LongUnaryOperator prunedUpTo,
            Consumer<String> onDamage) {
        this.database = database;
        this.upTo = upTo;
        this.channels = channels;
        this.prunedUpTo = prunedUpTo;
        this.onDamage = onDamage;
    }

    boolean isDone() {
        return done;
    }

    void stop() {
        stopped = true;
    }

    @Override
    public void run() {
        try (Connection connection = Sqlite.reader(database);
                Statement transaction = connection.createStatement()) {
            RowCheck check = new RowCheck(connection, prunedUpTo);
            channels.forEach(
                    (id, extent) ->
                            check.expect(id, extent.pruned().number(), extent.pruned().chain()));
            for (long at = 0; at < upTo && check.damage() == null; ) {
                long began = System.nanoTime();
                transaction.execute("BEGIN");
                at = check.check(at, upTo, ROWS);
                transaction.execute("COMMIT");
                if (stopped) {
                    return;
                }
                Thread.sleep((System.nanoTime() - began) / 1_000_000);
            }
            String damage = check.damage() == null ? missing(check) : check.damage();
            if (damage != null) {
                onDamage.accept(damage);
            } else {
                done = true;
            }
        } catch (SQLException e) {
            if (!stopped) {
                onDamage.accept("reading it failed: " + e.getMessage());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The newest messages may be missing, and no row after them tells of it. */
    private @Nullable String missing(RowCheck check) {
        for (Map.Entry<Long, Extent> channel : channels.entrySet()) {
            long seen = check.lastNumber(channel.getKey());
            long last = channel.getValue().lastNumber();
            if (seen < last && !check.isAccountedFor(channel.getKey(), seen + 1, last)) {
                return "messages %d to %d of channel %d are missing"
                        .formatted(seen + 1, last, channel.getKey());
            }
        }
        return null;
    }
}
