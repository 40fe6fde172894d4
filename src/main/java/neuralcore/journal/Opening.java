package neuralcore.journal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.function.LongSupplier;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * What must be in order before a journal counts as open: it is ours and not a newer version's, the
 * head file agrees with it, the small tables are whole, and so are the newest messages.
 */
final class Opening {
    private Opening() {}

    /** What an open journal is made of. */
    record Opened(HeadFile head, Connection connection, GroupWriter writer) {}

    /**
     * Opens the files, making them if there are none.
     *
     * @throws NeuralCoreException {@code DATA_DAMAGED} with what is lost
     */
    static Opened open(JournalFiles files, JournalSettings settings, LongSupplier wallMillis)
            throws IOException, SQLException {
        Files.createDirectories(files.folder());
        boolean fresh = !Files.exists(files.head()) && !Files.exists(files.database());
        HeadFile headFile = HeadFile.open(files.head());
        Connection connection = null;
        try {
            HeadFile.Head head = headFile.read();
            boolean headIsNew = headFile.isNew();
            if (!Files.exists(files.database()) && !headIsNew) {
                throw damaged(files, describe(head, State.NEW) + ": the file is gone");
            }
            PrivateFile.make(files.database());
            connection = Sqlite.writer(files.database());
            if (Schema.isEmpty(connection)) {
                if (head != null && head.state().commits() > 0) {
                    throw damaged(files, describe(head, State.NEW) + ": the file is empty");
                }
                Schema.create(connection);
            } else {
                Schema.check(connection, files.database());
            }
            GroupWriter writer = new GroupWriter(connection, wallMillis);
            compare(files, headIsNew, head, writer.contents());
            checkTail(files, connection, writer.contents(), settings.tailRows());
            headFile.write(new HeadFile.Head(writer.contents().id, writer.state(), false));
            headFile.force();
            if (fresh) {
                JournalFiles.syncFolder(files.folder());
            }
            return new Opened(headFile, connection, writer);
        } catch (IOException | SQLException | RuntimeException e) {
            close(connection);
            headFile.close();
            if (e instanceof SQLException sql && Sqlite.isDamaged(sql)) {
                throw damaged(files, String.valueOf(sql.getMessage()));
            }
            throw e;
        }
    }

    private static void close(@Nullable Connection connection) {
        try {
            if (connection != null) {
                connection.close();
            }
        } catch (SQLException e) {
            // The first failure is the one to tell.
        }
    }

    /** Whether the database is the one that the head file tells of, and not an older one. */
    private static void compare(
            JournalFiles files,
            boolean headIsNew,
            HeadFile.@Nullable Head head,
            Contents contents) {
        State state = contents.state;
        if (headIsNew) {
            if (state.commits() > 0) {
                throw damaged(
                        files,
                        "%s is missing, so nobody can tell whether messages are"
                                .formatted(files.head().getFileName()));
            }
            return;
        }
        if (head == null) {
            throw damaged(
                    files,
                    "%s is not what was written, so nobody can tell whether messages are missing"
                            .formatted(files.head().getFileName()));
        }
        if (head.id() != contents.id) {
            throw damaged(files, "its head file belongs to another journal");
        }
        if (head.state().commits() > state.commits()) {
            throw damaged(files, describe(head, state));
        }
        if (head.state().commits() == state.commits() && !head.state().equals(state)) {
            throw damaged(files, "it is not the file that its head file tells of");
        }
        if (head.damaged()) {
            throw damaged(files, "a check found messages that are not what was written");
        }
    }

    /** What is missing, by the numbers that users know. */
    private static String describe(HeadFile.@Nullable Head head, State found) {
        if (head == null) {
            return "all messages are missing";
        }
        State told = head.state();
        return "%d commits with %d messages are missing, those with the sequence numbers %d to %d"
                .formatted(
                        told.commits() - found.commits(),
                        told.rows() - found.rows(),
                        found.sequence() + 1,
                        told.sequence());
    }

    /** The newest messages were written last, perhaps while something went wrong. */
    private static void checkTail(
            JournalFiles files, Connection connection, Contents contents, int rows)
            throws SQLException {
        RowCheck check = new RowCheck(connection, channel -> 0);
        long from =
                Sqlite.number(
                        connection,
                        "SELECT coalesce(min(sequence), 0) FROM (SELECT sequence FROM messages"
                                + " ORDER BY sequence DESC LIMIT %d)".formatted(rows));
        long upTo = contents.state.sequence();
        for (long at = from - 1; at < upTo && check.damage() == null; ) {
            at = check.check(at, upTo, Math.max(rows, 1));
        }
        String damage = check.damage();
        long beyond =
                Sqlite.number(connection, "SELECT count(*) FROM messages WHERE sequence > " + upTo);
        if (damage == null && beyond > 0) {
            damage = "%d messages are there that no commit tells of".formatted(beyond);
        }
        if (damage != null) {
            throw damaged(files, damage);
        }
    }

    static NeuralCoreException damaged(JournalFiles files, String what) {
        Path file = files.database();
        return new NeuralCoreException(
                ErrorCode.DATA_DAMAGED,
                ("The journal %s is damaged: %s. Put back a backup, or start once with"
                                + " --accept-loss to go on with what is there.")
                        .formatted(file, what));
    }
}
