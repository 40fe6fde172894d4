package neuralcore.journal;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * The tables. {@code messages} has one index, by channel and priority: a page of the most urgent
 * messages is read from it, and a channel's numbers are found by halving, because they rise with
 * the sequence.
 */
final class Schema {
    static final int VERSION = 1;

    /** {@code PRAGMA application_id}: "NCJ1". */
    private static final int APPLICATION = 0x4e434a31;

    private static final List<String> TABLES =
            List.of(
                    """
                    CREATE TABLE state (
                      id INTEGER NOT NULL, commits INTEGER NOT NULL, rows INTEGER NOT NULL,
                      sequence INTEGER NOT NULL, chain INTEGER NOT NULL, crc INTEGER NOT NULL)""",
                    """
                    CREATE TABLE channels (
                      id INTEGER PRIMARY KEY, name TEXT NOT NULL, config TEXT NOT NULL,
                      age INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
                      unacknowledged INTEGER NOT NULL, removed INTEGER NOT NULL,
                      purge INTEGER NOT NULL,
                      pruned_number INTEGER NOT NULL, pruned_sequence INTEGER NOT NULL,
                      pruned_chain INTEGER NOT NULL, pruned_bytes INTEGER NOT NULL,
                      crc INTEGER NOT NULL)""",
                    """
                    CREATE TABLE messages (
                      sequence INTEGER PRIMARY KEY, channel INTEGER NOT NULL,
                      priority INTEGER NOT NULL, timestamp INTEGER NOT NULL,
                      record BLOB NOT NULL)""",
                    "CREATE INDEX messages_by_priority ON messages (channel, priority)",
                    """
                    CREATE TABLE subscriptions (
                      id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, name TEXT NOT NULL,
                      config TEXT NOT NULL, floor INTEGER NOT NULL, crc INTEGER NOT NULL)""",
                    """
                    CREATE TABLE settled (
                      subscription INTEGER NOT NULL, chunk INTEGER NOT NULL, bits BLOB NOT NULL,
                      crc INTEGER NOT NULL, PRIMARY KEY (subscription, chunk)) WITHOUT ROWID""",
                    """
                    CREATE TABLE attempts (
                      subscription INTEGER NOT NULL, number INTEGER NOT NULL,
                      attempts INTEGER NOT NULL, reason TEXT NOT NULL, crc INTEGER NOT NULL,
                      PRIMARY KEY (subscription, number)) WITHOUT ROWID""",
                    """
                    CREATE TABLE keys (
                      channel INTEGER NOT NULL, name TEXT NOT NULL, done INTEGER NOT NULL,
                      sequence INTEGER NOT NULL, expires INTEGER NOT NULL, crc INTEGER NOT NULL,
                      PRIMARY KEY (channel, name)) WITHOUT ROWID""",
                    """
                    CREATE TABLE publishers (
                      id INTEGER PRIMARY KEY, number INTEGER NOT NULL, seen INTEGER NOT NULL,
                      crc INTEGER NOT NULL)""",
                    """
                    CREATE TABLE losses (
                      id INTEGER PRIMARY KEY, text TEXT NOT NULL, channel INTEGER NOT NULL,
                      first INTEGER NOT NULL, last INTEGER NOT NULL, crc INTEGER NOT NULL)""");

    private Schema() {}

    /** Makes the tables of a new database, in one transaction. */
    static void create(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("BEGIN IMMEDIATE");
            for (String table : TABLES) {
                statement.execute(table);
            }
            statement.execute(NcbView.CREATE);
            long id = ThreadLocalRandom.current().nextLong();
            statement.execute(
                    "INSERT INTO state VALUES (%d, 0, 0, 0, 0, %d)"
                            .formatted(id, new Checksums().of(id, 0L, 0L, 0L, 0L)));
            statement.execute("PRAGMA application_id=" + APPLICATION);
            statement.execute("PRAGMA user_version=" + VERSION);
            statement.execute("COMMIT");
        }
    }

    static boolean isEmpty(Connection connection) throws SQLException {
        return Sqlite.number(connection, "SELECT count(*) FROM sqlite_schema") == 0;
    }

    /**
     * Refuses what we did not make: another application's file, a newer version's, or one with
     * tables, views or triggers that are not ours.
     */
    static void check(Connection connection, Path file) throws SQLException {
        long application = Sqlite.number(connection, "PRAGMA application_id");
        long version = Sqlite.number(connection, "PRAGMA user_version");
        if (application != APPLICATION) {
            throw damaged(file, "it is not a journal");
        }
        if (version > VERSION) {
            throw new NeuralCoreException(
                    ErrorCode.VERSION_MISMATCH,
                    "%s has format %d, this version knows %d: use the newer version that wrote it."
                            .formatted(file, version, VERSION));
        }
        List<String> expected = new ArrayList<>(TABLES);
        expected.add(NcbView.CREATE);
        List<String> found = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet result =
                        statement.executeQuery(
                                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")) {
            while (result.next()) {
                found.add(result.getString(1));
            }
        }
        // A copy has them in another order.
        expected.sort(null);
        found.sort(null);
        if (!found.equals(expected)) {
            throw damaged(file, "its tables are not those of a journal");
        }
    }

    private static NeuralCoreException damaged(Path file, String reason) {
        return new NeuralCoreException(
                ErrorCode.DATA_DAMAGED, "%s cannot be used: %s.".formatted(file, reason));
    }
}
