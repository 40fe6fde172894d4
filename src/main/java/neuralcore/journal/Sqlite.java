package neuralcore.journal;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

/** How the database is opened, and what its errors mean. */
final class Sqlite {
    private static final int NO_ERROR = 0;

    private Sqlite() {}

    /** The one connection that writes; transactions are begun and ended by statements. */
    static Connection writer(Path database) throws SQLException {
        Connection connection = open(database, new Properties());
        try (Statement statement = connection.createStatement()) {
            protect(statement);
            statement.execute("PRAGMA journal_mode=WAL");
            statement.execute("PRAGMA synchronous=FULL");
            // Checkpoints are made by name, so that their errors are seen.
            statement.execute("PRAGMA wal_autocheckpoint=0");
            statement.execute("PRAGMA fullfsync=ON");
            statement.execute("PRAGMA checkpoint_fullfsync=ON");
            return connection;
        } catch (SQLException | RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    /** A connection that only reads. */
    static Connection reader(Path database) throws SQLException {
        Connection connection = open(database, new Properties());
        try (Statement statement = connection.createStatement()) {
            protect(statement);
            statement.execute("PRAGMA wal_autocheckpoint=0");
            statement.execute("PRAGMA query_only=ON");
            return connection;
        } catch (SQLException | RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    /** Copies everything committed into a new database, from a snapshot. */
    static void copy(Path database, Path target) throws SQLException {
        try (Connection connection = open(database, new Properties())) {
            try (Statement statement = connection.createStatement()) {
                protect(statement);
                statement.execute("PRAGMA wal_autocheckpoint=0");
            }
            try (PreparedStatement vacuum = connection.prepareStatement("VACUUM INTO ?")) {
                vacuum.setString(1, target.toAbsolutePath().toString());
                vacuum.execute();
            }
        }
    }

    /** A database of a stranger, which is neither trusted nor changed. */
    static Connection stranger(Path database) throws SQLException {
        Properties readOnly = new Properties();
        readOnly.setProperty("open_mode", "1");
        Connection connection = open(database, readOnly);
        try (Statement statement = connection.createStatement()) {
            protect(statement);
            return connection;
        } catch (SQLException | RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    private static Connection open(Path database, Properties properties) throws SQLException {
        properties.setProperty("busy_timeout", "5000");
        return DriverManager.getConnection("jdbc:sqlite:" + database.toAbsolutePath(), properties);
    }

    /** Damage is met as an error, and nothing in a file runs. */
    private static void protect(Statement statement) throws SQLException {
        statement.execute("PRAGMA mmap_size=0");
        statement.execute("PRAGMA cell_size_check=ON");
        statement.execute("PRAGMA trusted_schema=OFF");
        statement.execute("PRAGMA temp_store=MEMORY");
        statement.execute("PRAGMA cache_size=-16000");
    }

    static long number(Connection connection, String query) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery(query)) {
            return result.next() ? result.getLong(1) : 0;
        }
    }

    static String text(Connection connection, String query) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery(query)) {
            return result.next() ? String.valueOf(result.getString(1)) : "";
        }
    }

    /** Whether there was no room: nothing was changed then, and later there may be. */
    static boolean isFull(SQLException e) {
        SQLiteErrorCode code = code(e);
        return code == SQLiteErrorCode.SQLITE_FULL || code == SQLiteErrorCode.SQLITE_IOERR_SHMSIZE;
    }

    /** Whether the file is not what SQLite wrote. */
    static boolean isDamaged(SQLException e) {
        int base = code(e).code & 0xff;
        return base == SQLiteErrorCode.SQLITE_CORRUPT.code
                || base == SQLiteErrorCode.SQLITE_NOTADB.code;
    }

    static ErrorCode meaning(SQLException e) {
        if (isFull(e)) {
            return ErrorCode.STORAGE_FULL;
        }
        return isDamaged(e) ? ErrorCode.DATA_DAMAGED : ErrorCode.STORAGE_FAILED;
    }

    static NeuralCoreException failure(String what, SQLException e) {
        return new NeuralCoreException(
                meaning(e), "%s failed: %s".formatted(what, e.getMessage()), e);
    }

    private static SQLiteErrorCode code(SQLException e) {
        return e instanceof SQLiteException sqlite
                ? sqlite.getResultCode()
                : SQLiteErrorCode.getErrorCode(e.getErrorCode() == NO_ERROR ? 1 : e.getErrorCode());
    }
}
